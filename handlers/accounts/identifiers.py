"""The identifiers of an account, for registration and login: username, e-mail address, phone number."""

from __future__ import annotations

from typing import Annotated, Final

import phonenumbers
from email_validator import validate_email
from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from handlers.case_folding import folded
from realtime.contract.wire import TextRule

USERNAME_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_.]{2,29}$"
EMAIL_CHARS: Final = 254
PHONE_CHARS: Final = 32

RESERVED_USERNAMES: Final = frozenset(
    {
        "abuse",
        "account",
        "accounts",
        "admin",
        "administrator",
        "all",
        "anonymous",
        "api",
        "auth",
        "billing",
        "channel",
        "chat",
        "contact",
        "deleted",
        "docs",
        "everyone",
        "feed",
        "guest",
        "health",
        "help",
        "here",
        "hostmaster",
        "info",
        "live",
        "login",
        "logout",
        "mail",
        "media",
        "metrics",
        "mod",
        "moderator",
        "moderators",
        "news",
        "nobody",
        "notifications",
        "null",
        "official",
        "ops",
        "owner",
        "password",
        "post",
        "postmaster",
        "posts",
        "privacy",
        "ready",
        "register",
        "root",
        "rookery",
        "search",
        "security",
        "settings",
        "signup",
        "staff",
        "static",
        "status",
        "support",
        "sysadmin",
        "system",
        "team",
        "terms",
        "undefined",
        "user",
        "users",
        "webmaster",
        "www",
    }
)
"""Names that would look like Rookery itself, or like one of its pages."""


_EMAIL: Final[JsonDict] = {"format": "email", "examples": ["ada@example.com"]}
_PHONE: Final[JsonDict] = {"format": "phone", "examples": ["+44 20 7946 0958"]}
_WITHOUT_SEPARATORS: Final = str.maketrans("", "", "_.")


def _check_username(value: str) -> str:
    if folded(value).translate(_WITHOUT_SEPARATORS) in RESERVED_USERNAMES:
        raise ValueError("is reserved")
    return value


def normalized_email(value: str) -> str:
    """The address as it is stored: NFC, the domain in lower case and in Unicode. Raises ValueError."""
    return validate_email(value, check_deliverability=False).normalized


def normalized_phone(value: str) -> str:
    """The number in E.164, from any notation that begins with + and the country code. Raises ValueError."""
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        raise ValueError("must be a phone number that begins with + and the country code") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise ValueError("must be a phone number that can be called, without extension")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalized_login(value: str) -> str:
    """One form, as `read_credentials` takes it, for all ways to type the same username, e-mail address or phone number.

    Accounts are looked up and attempts are counted by it, so that other spellings give no more attempts.
    """
    try:
        if "@" in value:
            return folded(normalized_email(value))
        if not value[:1].isalpha():
            return normalized_phone(value)
    except ValueError:
        pass  # no account can have it: it is refused like any unknown name
    return folded(value.strip())


Username = Annotated[
    str,
    Field(pattern=USERNAME_PATTERN, description="Not one that is reserved, as `admin`."),
    AfterValidator(_check_username),
]
Email = Annotated[str, TextRule(EMAIL_CHARS), AfterValidator(normalized_email), Field(json_schema_extra=_EMAIL)]
Phone = Annotated[
    str,
    TextRule(PHONE_CHARS),
    AfterValidator(normalized_phone),
    Field(description="With + and the country code, in any notation.", json_schema_extra=_PHONE),
]
