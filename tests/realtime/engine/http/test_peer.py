from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from realtime.engine.http.peer import origin_allowed, peer_address

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


class Transport:
    """The one thing that is asked of a transport here."""

    def __init__(self, peername: object) -> None:
        self.peername = peername

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.peername if name == "peername" else default


def _request(peer: object, *headers: tuple[str, str]) -> web.Request:
    peername = (peer, 5000) if isinstance(peer, str) else peer
    from multidict import CIMultiDict

    return make_mocked_request("GET", "/", CIMultiDict(headers), transport=Transport(peername))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.9, garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_vouches_for(
    peer: str, forwarded: str | None, address: str
) -> None:
    headers = [] if forwarded is None else [("X-Forwarded-For", forwarded)]
    assert peer_address(_request(peer, *headers), PROXIES) == address


def test_repeated_forwarding_headers_are_one_list() -> None:
    request = _request("10.0.0.1", ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "198.51.100.9"))
    assert peer_address(request, PROXIES) == "198.51.100.9"


def test_a_unix_socket_has_no_address() -> None:
    assert peer_address(_request(""), PROXIES) == ""


@pytest.mark.parametrize(
    ("peer", "headers", "allowed"),
    [
        ("192.0.2.1", {"Host": "a.example"}, True),
        ("192.0.2.1", {"Host": "a.example", "Origin": "https://a.example"}, True),
        ("192.0.2.1", {"Host": "a.example:8000", "Origin": "http://a.example:8000"}, True),
        ("192.0.2.1", {"Host": "a.example", "Origin": "https://a.example:444"}, False),
        ("192.0.2.1", {"Host": "a.example", "Origin": "https://b.example"}, False),
        ("192.0.2.1", {"Host": "a.example", "Origin": "null"}, False),
        ("192.0.2.1", {"Host": "a.example", "Origin": "http://["}, False),
        ("192.0.2.1", {"Host": "a.example", "Origin": "https://listed.example"}, True),
        ("192.0.2.1", {"Host": "a.example", "Origin": "https://listed.example.evil.example"}, False),
        ("192.0.2.1", {"Host": "a", "X-Forwarded-Host": "b.example", "Origin": "https://b.example"}, False),
        ("10.0.0.1", {"Host": "a", "X-Forwarded-Host": "b.example", "Origin": "https://b.example"}, True),
    ],
)
def test_a_page_must_be_of_this_host_or_listed(peer: str, headers: dict[str, str], allowed: bool) -> None:
    request = _request(peer, *headers.items())
    assert origin_allowed(request, ("https://listed.example",), PROXIES) is allowed
