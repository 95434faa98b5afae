from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from handlers.accounts.identifiers import Email, Phone, Username, normalized_login

USERNAME, EMAIL, PHONE = TypeAdapter[str](Username), TypeAdapter[str](Email), TypeAdapter[str](Phone)


@pytest.mark.parametrize("name", ["ada", "Ada", "a_1", "a.b", "x" * 30, "administrators", "a__", "user1"])
def test_usernames_that_can_be_had(name: str) -> None:
    assert USERNAME.validate_python(name, strict=True) == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "x" * 31, "1ada", "_ada", ".ada", "a b", "a-b", "adä", "ada\n", "аda", "ada\x00", "ada\ud800", 7, None],
)
def test_names_that_are_no_usernames(name: Any) -> None:
    with pytest.raises(ValidationError):
        USERNAME.validate_python(name, strict=True)


@pytest.mark.parametrize("name", ["ADMIN", "admin", "ad.min", "Admin_", "everyone", "rookery"])
def test_reserved_usernames(name: str) -> None:
    with pytest.raises(ValidationError, match="reserved"):
        USERNAME.validate_python(name, strict=True)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@Example.COM", "Ada@example.com"),
        ("ada@xn--mnchen-3ya.de", "ada@münchen.de"),
        ("a.d+a@example.com", "a.d+a@example.com"),
    ],
)
def test_an_email_address_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert EMAIL.validate_python(typed) == stored


@pytest.mark.parametrize(
    "typed", ["ada", "ada@", "@example.com", "ada@localhost", "a da@example.com", "ada@exa\x00mple.com"]
)
def test_what_is_no_email_address(typed: str) -> None:
    with pytest.raises(ValidationError):
        EMAIL.validate_python(typed)


@pytest.mark.parametrize("typed", ["+14155552671", "+1 (415) 555-2671", "+1.415.555.2671", "+١٤١٥٥٥٥٢٦٧١"])
def test_a_phone_number_is_stored_as_e164(typed: str) -> None:
    assert PHONE.validate_python(typed) == "+14155552671"


@pytest.mark.parametrize("typed", ["", "4155552671", "+1415555267", "+999123456", "+14155552671;ext=3", "call me"])
def test_what_is_no_phone_number(typed: str) -> None:
    with pytest.raises(ValidationError):
        PHONE.validate_python(typed)


@pytest.mark.parametrize(
    ("typed", "looked_up"),
    [
        ("Ada", "ada"),
        (" ada ", "ada"),
        ("ADA@Example.com", "ada@example.com"),
        ("ΝΙΚΟΣ@Example.com", "νικοσ@example.com"),
        ("+1 415 555-2671", "+14155552671"),
        ("Nobody@nowhere", "nobody@nowhere"),
        ("12", "12"),
    ],
)
def test_every_spelling_of_a_login_is_looked_up_and_counted_as_one(typed: str, looked_up: str) -> None:
    assert normalized_login(typed) == looked_up
