from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from realtime.engine.http.origins import (
    ANY_PORT,
    REFUSALS_LOGGED_PER_MINUTE,
    OriginPolicy,
    read_allowed_origin,
)
from realtime.engine.http.proxies import TrustedProxies
from realtime.engine.http.request_head import RequestHead
from tests.kit.log_watch import watched_log

PROXIES = TrustedProxies((ip_network("10.0.0.0/8"),))


def request(peer: str = "192.0.2.1", **headers: str) -> RequestHead:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead("/", {}, CIMultiDict(names), peer)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("a.example", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:80", "http://a.example", True),
        ("a.example", "https://a.example:443", True),
        ("A.Example", "https://a.example", True),
        ("a.example:", "https://a.example", True),
        ("a.example:8000", "http://a.example:8000", True),
        ("[2001:db8::1]:8000", "http://[2001:db8::1]:8000", True),
        ("[2001:db8::1]", "https://[2001:db8::1]", True),
        ("a.example:80", "https://a.example", False),
        ("a.example:443", "http://a.example", False),
        ("a.example", "https://a.example:444", False),
        ("a.example:444", "https://a.example", False),
        ("a.example", "https://b.example", False),
        ("a.example", "capacitor://a.example", False),
        ("a.example", "null", False),
        ("a.example", "http://[", False),
        ("a.example", "https://a.example/", False),
        ("a.example", "https://a.example:*", False),
        ("", "https://", False),
        ("", "", False),
        ("b.example, a.example", "https://a.example", False),
    ],
)
def test_a_page_of_this_host_and_port_is_allowed(host: str, origin: str, allowed: bool) -> None:
    assert OriginPolicy().allows(request(Host=host, Origin=origin)) is allowed


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"X_Forwarded_Host": "chat.example, inner"}, True),
        ({"X_Forwarded_Host": "chat.example:443"}, True),
        ({"X_Forwarded_Host": "inner, chat.example"}, False),
        ({"X_Forwarded_Host": "chat.example", "Origin": "https://chat.example:8443"}, False),
        ({"X_Forwarded_Host": "chat.example", "X_Forwarded_Port": "8443", "Origin": "https://chat.example:8443"}, True),
        # A proxy before this one may end TLS: the port of this one is not the page's.
        ({"X_Forwarded_Host": "chat.example", "X_Forwarded_Port": "80"}, True),
        ({"X_Forwarded_Host": "chat.example", "X_Forwarded_Port": "x"}, True),
        ({"Host": "chat.example", "X_Forwarded_Port": "8443", "Origin": "https://chat.example:8443"}, True),
        ({"Host": "chat.example:443"}, True),
    ],
)
def test_the_host_is_believed_as_a_trusted_proxy_tells_it(headers: dict[str, str], allowed: bool) -> None:
    sent = {"Host": "inner:8000", "Origin": "https://chat.example", **headers}
    policy = OriginPolicy((), PROXIES)
    assert policy.allows(request("10.0.0.1", **sent)) is allowed
    alone = sent["Host"] == "chat.example:443"
    assert policy.allows(request("192.0.2.1", **sent)) is alone, "nobody else is believed"


@pytest.mark.parametrize(
    ("listed", "origin", "allowed"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "https://a.example:443", True),
        ("https://a.example:443", "https://a.example", True),
        ("http://a.example:80", "http://a.example", True),
        ("https://a.example:8443", "https://a.example:8443", True),
        ("https://a.example:8443", "https://a.example", False),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example.evil.example", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://*.a.example", "https://b.a.example", True),
        ("https://*.a.example", "https://c.b.a.example", True),
        ("https://*.a.example:8443", "https://b.a.example:8443", True),
        ("https://*.a.example", "https://a.example", False),
        ("https://*.a.example", "https://evila.example", False),
        ("https://*.a.example", "http://b.a.example", False),
        ("https://*.a.example", "https://b.a.example:8443", False),
        ("https://*.a.example", "https://b.a.example.evil.example", False),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "https://localhost", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("capacitor://localhost", "ionic://localhost", False),
        ("capacitor://localhost", "http://localhost", False),
        ("tauri://localhost", "tauri://localhost", True),
        ("chrome-extension://abcdef", "chrome-extension://abcdef", True),
        ("chrome-extension://abcdef", "chrome-extension://abcdeg", False),
        ("file://", "file://", True),
        ("file://", "null", False),
        ("http://[::1]:3000", "http://[::1]:3000", True),
    ],
)
def test_an_origin_of_the_list_is_allowed_and_named(listed: str, origin: str, allowed: bool) -> None:
    policy = OriginPolicy((listed,))
    assert policy.allows(request(Host="own.example", Origin=origin)) is allowed
    assert policy.names(origin) is allowed


def test_a_star_allows_all_and_names_none() -> None:
    policy = OriginPolicy(("*", "https://a.example"))
    for origin in ("https://b.example", "null", "", "garbage"):
        assert policy.allows(request(Host="own.example", Origin=origin)) and not policy.names(origin)
    assert policy.names("https://a.example")


def test_a_request_without_an_origin_is_of_no_page() -> None:
    assert OriginPolicy().allows(request(Host="a.example"))


def test_the_forms_of_the_list_are_read() -> None:
    assert read_allowed_origin("https://A.example") == ("https", "a.example", 443)
    assert read_allowed_origin("http://localhost:*") == ("http", "localhost", ANY_PORT)
    assert read_allowed_origin("capacitor://localhost") == ("capacitor", "localhost", None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.example", "a scheme and a host"),
        ("https://a.example/page", "no path"),
        ("https://a.example?x", "no path"),
        ("https://me:secret@a.example", "no user"),
        ("https://", "no host"),
        ("https://:443", "no host"),
        ("https://a.example:0", "no such port"),
        ("https://a.example:70000", "no such port"),
        ("https://*", "the first labels"),
        ("https://a.*.example", "the first labels"),
        ("https://*a.example", "the first labels"),
        ("https://bücher.example", "Punycode"),
        ("null", "sandboxed"),
        ("", "a scheme and a host"),
    ],
)
def test_any_other_form_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        read_allowed_origin(text)
    assert "secret" not in str(refused.value)


def test_a_refusal_is_logged_with_what_the_origin_was_compared_to() -> None:
    policy = OriginPolicy(("https://a.example",), PROXIES)
    with watched_log("origin_refused") as lines:
        policy.log_refusal(request("10.0.0.1", Origin="https://b.example" + "x" * 1_000, X_Forwarded_Host="c, d"))
        policy.log_refusal(request(Origin="https://b.example", Host="e", X_Forwarded_Host="b.example"))
    by_proxy, direct = lines
    assert (by_proxy["own_host"], by_proxy["own_host_from"]) == ("c", "X-Forwarded-Host")
    assert by_proxy["allowed_origins"] == ("https://a.example",) and len(by_proxy["origin"]) == 200
    assert (direct["own_host"], direct["own_host_from"], direct["origin"]) == ("e", "Host", "https://b.example")
    assert (by_proxy["untrusted_forwarded_host"], direct["untrusted_forwarded_host"]) == (False, True)


def test_refusals_do_not_flood_the_log() -> None:
    now_s = 6_000.0
    policy = OriginPolicy(clock_s=lambda: now_s)
    with watched_log("origin_refused") as lines:
        for _ in range(REFUSALS_LOGGED_PER_MINUTE + 1_000):
            policy.log_refusal(request(Origin="https://b.example"))
        assert len(lines) == REFUSALS_LOGGED_PER_MINUTE
        now_s += 60
        policy.log_refusal(request(Origin="https://b.example"))
    assert [line["left_out_before"] for line in lines[-2:]] == [0, 1_000]
