from server.accounts.sealed_cursors import SealedCursors
from server.accounts.secrets_file import SigningKey

OLD, NEW = SigningKey("old", b"o" * 32), SigningKey("new", b"n" * 32)


def test_what_was_sealed_opens_and_nothing_else_does() -> None:
    cursors = SealedCursors([NEW])
    for content in (b"", b"x", b'{"a":1}' * 100):
        sealed = cursors.seal(content)
        assert cursors.open(sealed) == content
        assert cursors.open(sealed[:-1]) is None
        assert cursors.open("A" + sealed) is None
    for text in ("", "=", "a b", "A", "A" * 21, "A" * 22, "ä", "+/+/"):
        assert cursors.open(text) is None


def test_a_replaced_key_still_opens() -> None:
    sealed = SealedCursors([OLD]).seal(b"x")
    assert SealedCursors([NEW, OLD]).open(sealed) == b"x"
    assert SealedCursors([NEW]).open(sealed) is None
