import pytest
from pydantic import TypeAdapter, ValidationError

from handlers.accounts.password_rules import MOST_USED, NewPassword, TypedPassword

NEW, TYPED = TypeAdapter[str](NewPassword), TypeAdapter[str](TypedPassword)


def test_ten_thousand_passwords_are_known_to_be_used_most() -> None:
    assert len(MOST_USED) == 10_000
    assert {"123456", "password", "qwerty"} <= MOST_USED


@pytest.mark.parametrize("password", ["analytical engine", "x" * 256, "🂡" * 8, "ällt im Frühling"])
def test_passwords_that_may_be_chosen(password: str) -> None:
    assert NEW.validate_python(password) == password


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short12",
        "x" * 257,
        "        ",
        "password",
        "PassWord",
        "12345678",
        "tab\tulator",
        "nul\x00byte!",
        "\ud800" * 8,
    ],
)
def test_passwords_that_may_not_be_chosen(password: str) -> None:
    with pytest.raises(ValidationError):
        NEW.validate_python(password)


def test_the_longest_password_fits_what_the_hasher_takes() -> None:
    assert len(NEW.validate_python("🂡" * 256).encode()) == 1_024


def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    assert NEW.validate_python("a\u0308llt im Winter") == NEW.validate_python("ällt im Winter")
    assert TYPED.validate_python("a\u0308") == "ä"


def test_a_password_chosen_under_other_rules_can_still_be_typed() -> None:
    assert TYPED.validate_python("123") == "123"
