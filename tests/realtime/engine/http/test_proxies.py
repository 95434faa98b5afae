from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from realtime.engine.http.proxies import TrustedProxies, read_forwarded
from realtime.engine.http.request_head import RequestHead

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
CLIENT = "198.51.100.9"


def request(peer: str | None, *headers: tuple[str, str]) -> RequestHead:
    return RequestHead("/", {}, CIMultiDict(headers), peer)


def address(peer: str | None, *lines: str, header: str = "X-Forwarded-For") -> str:
    proxies = TrustedProxies(NETWORKS, address_header=header)
    return proxies.client_address(request(peer, *((header.lower(), line) for line in lines)))


@pytest.mark.parametrize(
    ("peer", "lines", "found"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", (CLIENT,), "192.0.2.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", (CLIENT,), CLIENT),
        ("10.0.0.1", (f"6.6.6.6, {CLIENT}",), CLIENT),
        ("10.0.0.1", (f"{CLIENT}, 10.0.0.2",), CLIENT),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", (f"{CLIENT}, garbage",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("6.6.6.6", CLIENT), CLIENT),
        ("::ffff:10.0.0.1", (CLIENT,), CLIENT),
        ("::ffff:192.0.2.1", (), "192.0.2.1"),
        ("fd00::1", ("2001:db8::1",), "2001:db8::1"),
        (None, (CLIENT,), ""),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_vouches_for(
    peer: str | None, lines: tuple[str, ...], found: str
) -> None:
    assert address(peer, *lines) == found


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ("203.0.113.7:51234", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[::ffff:203.0.113.7]:51234", "203.0.113.7"),
        ("203.0.113.7:", "10.0.0.1"),
        ("203.0.113.7:1:2", "10.0.0.1"),
        ("[2001:db8::1", "10.0.0.1"),
        ("[]:443", "10.0.0.1"),
        ("unknown", "10.0.0.1"),
    ],
)
def test_a_proxy_may_write_a_port_and_brackets(node: str, found: str) -> None:
    assert address("10.0.0.1", node) == found
    assert address("10.0.0.1", f"6.6.6.6, {node}") == found
    assert address("10.0.0.1", f'for=6.6.6.6, for="{node}"', header="Forwarded") == found
    assert address("10.0.0.1", node, header="CF-Connecting-IP") == found


def test_a_proxy_with_a_port_in_its_address_is_recognised_as_one() -> None:
    assert address("10.0.0.1", f"{CLIENT}:9, 10.0.0.2:80") == CLIENT


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((f"for={CLIENT}",), CLIENT),
        ((f"For={CLIENT};proto=https;by=10.0.0.1",), CLIENT),
        ((f'proto=https; host="a.example:443" ;for={CLIENT}',), CLIENT),
        (('for="[2001:db8:cafe::17]:4711", for=10.0.0.2',), "2001:db8:cafe::17"),
        (("for=6.6.6.6", f"for={CLIENT}"), CLIENT),
        ((f"for={CLIENT};;", "for=10.0.0.2;"), CLIENT),
        (("for=_hidden",), "10.0.0.1"),
        (("proto=https",), "10.0.0.1"),
        ((f"for={CLIENT}, proto=https",), "10.0.0.1"),
        ((f'for="6.6.6.6, for={CLIENT}',), "10.0.0.1"),
        ((f'for=", for="[2001:db8::1]", for={CLIENT}',), "10.0.0.1"),
        ((f"for={CLIENT}", "garbage"), "10.0.0.1"),
        ((f"for=6.6.6.6;for={CLIENT}",), "10.0.0.1"),
        ((CLIENT,), "10.0.0.1"),
    ],
)
def test_forwarded_is_read_by_its_standard_and_not_at_all_where_it_breaks_it(
    lines: tuple[str, ...], found: str
) -> None:
    assert address("10.0.0.1", *lines, header="Forwarded") == found


@given(st.text(alphabet='for="\\;,[]:1. a', max_size=30))
def test_what_a_client_writes_before_the_proxy_s_own_element_forges_no_address(forged: str) -> None:
    for own in ('for="[2001:db8::1]:443"', f"for={CLIENT}"):
        found = address("10.0.0.1", f"{forged}, {own};proto=https", header="Forwarded")
        assert found in ("2001:db8::1", CLIENT, "10.0.0.1")


def test_only_the_header_of_the_setting_is_believed() -> None:
    headers = (("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2"), ("X-Real-IP", "192.0.2.3"))
    for name, line in headers:
        proxies = TrustedProxies(NETWORKS, address_header=name)
        assert proxies.client_address(request("10.0.0.1", *headers)) == line.removeprefix("for=")
    assert (
        TrustedProxies(NETWORKS, address_header="X-Other").client_address(request("10.0.0.1", *headers)) == "10.0.0.1"
    )


def test_a_quoted_value_is_unquoted() -> None:
    assert read_forwarded(r'host="a\"b\\c", for=x') == [{"host": 'a"b\\c'}, {"for": "x"}]


HOST = ("Host", "inner:8000")


@pytest.mark.parametrize(
    ("peer", "header", "headers", "asked"),
    [
        ("10.0.0.1", "X-Forwarded-For", (), ("inner:8000", "Host", None)),
        ("10.0.0.1", "X-Forwarded-For", (("X-Forwarded-Host", "a, b"),), ("a", "X-Forwarded-Host", None)),
        ("10.0.0.1", "X-Forwarded-For", (("X-Forwarded-Port", "81, 80"),), ("inner:8000", "Host", "81")),
        ("10.0.0.1", "X-Forwarded-For", (("Forwarded", "host=a"),), ("inner:8000", "Host", None)),
        ("10.0.0.1", "Forwarded", (("Forwarded", "host=a, host=b"),), ("a", "Forwarded", None)),
        ("10.0.0.1", "Forwarded", (("Forwarded", "for=a"),), ("inner:8000", "Host", None)),
        ("10.0.0.1", "Forwarded", (("Forwarded", 'host="a'),), ("inner:8000", "Host", None)),
        ("10.0.0.1", "Forwarded", (("X-Forwarded-Host", "a"),), ("inner:8000", "Host", None)),
        ("192.0.2.1", "X-Forwarded-For", (("X-Forwarded-Host", "a"),), ("inner:8000", "Host", None)),
        ("192.0.2.1", "Forwarded", (("Forwarded", "host=a"),), ("inner:8000", "Host", None)),
    ],
)
def test_the_host_is_the_one_that_the_nearest_proxy_was_asked_for(
    peer: str, header: str, headers: tuple[tuple[str, str], ...], asked: tuple[str, str, str | None]
) -> None:
    proxies = TrustedProxies(NETWORKS, address_header=header)
    assert proxies.asked_host(request(peer, HOST, *headers)) == asked


def test_a_long_run_of_blanks_is_read_in_time() -> None:
    """With a pattern that can match blanks in two ways, this takes hours."""
    assert read_forwarded("for=1.2.3.4;" + " " * 1_000_000 + "@") is None
    assert read_forwarded("for=x" + "\t" * 1_000_000 + ";proto=http") == [{"for": "x", "proto": "http"}]
