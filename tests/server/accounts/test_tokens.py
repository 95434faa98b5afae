import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from realtime.contract.errors import CommandError
from realtime.contract.identity import Identity
from server.accounts.secrets_file import SigningKey
from server.accounts.tokens import LONGEST_TOKEN, BadToken, Tokens, check_signature
from tests.kit.clock import NOON, ManualClock

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "wycheproof_jws.json"
CONTRADICTORY = {
    367: "called invalid, yet it is the very token and key of 357, which is called valid",
    370: "called invalid, yet it is the very token and key of 357, which is called valid",
    372: "called valid, yet its header holds a character that base64url does not have",
    373: "called valid, yet its payload holds a character that base64url does not have",
}

OLD = SigningKey("old", b"o" * 32)
NEW = SigningKey("new", b"n" * 32)
NOON_S = int(NOON.timestamp())
CLAIMS: dict[str, Any] = {"iss": "rookery", "sub": "7", "sid": "9", "iat": NOON_S, "exp": NOON_S + 900}


class Vector(NamedTuple):
    id: int
    token: str
    valid: bool
    algorithm: str
    secret: bytes
    kid: str


def vectors() -> list[Vector]:
    if not VECTORS.exists():
        return []
    found = []
    for group in json.loads(VECTORS.read_bytes())["testGroups"]:
        key = group["private"]
        symmetric = key["kty"] == "oct"
        # Asymmetric ones: what a confused verifier would take for the shared secret.
        secret = unpadded(key["k"]) if symmetric else json.dumps(group["public"]).encode()
        for test in group["tests"]:
            token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
            algorithm = key.get("alg", "none") if symmetric else "asymmetric"
            found.append(Vector(test["tcId"], token, test["result"] == "valid", algorithm, secret, key["kid"]))
    return found


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(body: object, key: SigningKey = NEW, **header: object) -> str:
    """A token made by hand; `header` replaces fields, None leaves one out."""
    fields = {"alg": "HS256", "kid": key.kid} | header
    head = encoded(json.dumps({name: value for name, value in fields.items() if value is not None}).encode())
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = hmac.digest(key.secret, f"{head}.{encoded(content)}".encode(), "sha256")
    return f"{head}.{encoded(content)}.{encoded(signature)}"


def tokens(*keys: SigningKey, clock: ManualClock | None = None) -> Tokens:
    return Tokens(keys or (NEW,), clock or ManualClock(), access_token_ttl_s=900)


def accepts(vector: Vector) -> bool:
    header = vector.token.partition(".")[0]
    try:
        told = json.loads(unpadded(header)).get("kid", vector.kid)
    except ValueError:
        told = vector.kid
    try:
        check_signature(vector.token, {vector.kid: vector.secret, told: vector.secret})
    except BadToken:
        return False
    return True


CASES = [pytest.param(vector, id=str(vector.id)) for vector in vectors() if vector.id not in CONTRADICTORY]


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not at ../shared/data/wycheproof_jws.json")
@pytest.mark.parametrize("vector", CASES)
def test_the_signature_check_answers_as_the_vectors_say(vector: Vector) -> None:
    assert accepts(vector) == (vector.valid and vector.algorithm == "HS256")


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not at ../shared/data/wycheproof_jws.json")
def test_the_vectors_that_contradict_themselves() -> None:
    by_id = {vector.id: vector for vector in vectors()}
    assert by_id[367][1] == by_id[370][1] == by_id[357][1]
    assert by_id[367].secret == by_id[370].secret == by_id[357].secret
    assert {number: accepts(by_id[number]) for number in CONTRADICTORY} == {
        367: True,
        370: True,
        372: False,
        373: False,
    }


def test_a_token_holds_user_login_session_and_expiry() -> None:
    issuer = tokens()
    issued = issuer.access_token(7, 2**62)
    assert issued.expires_in_s == 900
    assert issuer.identify(issued.token) == Identity(7, 2**62, NOON_S + 900)


def test_a_token_names_its_key_and_its_issuer() -> None:
    header, claims, _ = tokens(NEW, OLD).access_token(7, 9).token.split(".")
    assert json.loads(unpadded(header)) == {"alg": "HS256", "kid": "new", "typ": "JWT"}
    assert json.loads(unpadded(claims)) == CLAIMS


def test_keys_are_replaced_without_logging_anybody_out() -> None:
    before = tokens(OLD).access_token(7, 9).token
    assert tokens(NEW, OLD).identify(before).user_id == 7
    with pytest.raises(CommandError) as refusal:
        tokens(NEW).identify(before)
    assert refusal.value.code.code == "unauthenticated"


def test_a_token_ends_at_its_second() -> None:
    clock = ManualClock()
    issuer = tokens(clock=clock)
    token = issuer.access_token(7, 9).token
    clock.advance(899.9)
    assert issuer.identify(token).user_id == 7
    clock.advance(0.1)
    with pytest.raises(CommandError) as refusal:
        issuer.identify(token)
    assert refusal.value.code.code == "token_expired"


def test_a_token_made_by_hand_is_as_good() -> None:
    assert tokens().identify(signed(CLAIMS)) == Identity(7, 9, NOON_S + 900)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(CLAIMS, SigningKey("new", b"x" * 32)), id="another secret"),
        pytest.param(signed(CLAIMS, SigningKey("unknown", NEW.secret)), id="unknown kid"),
        pytest.param(signed(CLAIMS, kid=None), id="no kid"),
        pytest.param(signed(CLAIMS, kid=1), id="kid is a number"),
        pytest.param(signed(CLAIMS, alg="none"), id="alg none"),
        pytest.param(signed(CLAIMS, alg="HS512"), id="alg HS512"),
        pytest.param(signed(CLAIMS, alg="hs256"), id="alg in small rpc"),
        pytest.param(signed(CLAIMS, crit=["exp"]), id="unknown critical header"),
        pytest.param(signed(CLAIMS | {"iss": "somebody"}), id="another issuer"),
        pytest.param(signed(CLAIMS | {"sub": 7}), id="sub is a number"),
        pytest.param(signed(CLAIMS | {"sub": "-7"}), id="sub is negative"),
        pytest.param(signed(CLAIMS | {"sub": "9" * 19}), id="sub past 64 bits"),
        pytest.param(signed(CLAIMS | {"sid": None}), id="sid is null"),
        pytest.param(signed(CLAIMS | {"exp": str(NOON_S + 900)}), id="exp is text"),
        pytest.param(signed(CLAIMS | {"exp": NOON_S + 900.5}), id="exp is a fraction"),
        pytest.param(signed(CLAIMS | {"exp": True}), id="exp is a boolean"),
        pytest.param(signed(CLAIMS | {"role": "admin"}), id="unknown claim"),
        pytest.param(signed({key: CLAIMS[key] for key in CLAIMS if key != "exp"}), id="no exp"),
        pytest.param(signed([CLAIMS]), id="a list"),
        pytest.param(signed(b"not JSON"), id="not JSON"),
        pytest.param(signed(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(signed(b"[" * 2_000), id="deeply nested"),
        pytest.param(signed(CLAIMS) + ".x", id="four parts"),
        pytest.param(signed(CLAIMS)[:-1], id="cut"),
        pytest.param("", id="empty"),
        pytest.param("..", id="dots"),
        pytest.param("\ud800.\ud800.\ud800", id="lone surrogates"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param(signed(CLAIMS | {"iss": "x" * LONGEST_TOKEN}), id="too long"),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(CommandError) as refusal:
        tokens().identify(token)
    assert refusal.value.code.code == "unauthenticated"


def test_refresh_tokens_are_random_and_stored_as_a_hash() -> None:
    issuer = tokens()
    token = issuer.refresh_token()
    assert len(unpadded(token)) == 32
    assert issuer.refresh_token() != token
    assert issuer.fingerprint(token) == hashlib.sha256(token.encode()).digest()


def test_a_refresh_token_has_one_successor_that_only_key_holders_can_compute() -> None:
    token = tokens().refresh_token()
    [successor] = tokens(NEW).successors(token)
    assert tokens(NEW).successors(token) == [successor]
    assert len(unpadded(successor)) == 32
    assert tokens(OLD).successors(token) != [successor]
    assert tokens(NEW).successors(successor) != [successor]


def test_a_successor_is_found_again_after_the_first_key_was_replaced() -> None:
    token = tokens().refresh_token()
    [before] = tokens(OLD).successors(token)
    assert before in tokens(NEW, OLD).successors(token)
    assert tokens(NEW, OLD).successors(token)[0] != before
