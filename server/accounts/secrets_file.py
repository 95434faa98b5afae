"""The keys that sign access tokens: from the settings, or generated once into a file that only its owner may read."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32
"""The size of a SHA-256 hash, the least that RFC 7518 allows for HS256."""
FILE_NAME: Final = "token_secrets"


class SecretsError(Exception):
    """The keys cannot be used; the message says what to do, in one line."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kid` names the key in the header of every token that it signed."""

    kid: str
    secret: bytes = field(repr=False)


def signing_keys(configured: Sequence[tuple[str, str]], data_dir: Path) -> tuple[SigningKey, ...]:
    """The keys of this deployment, the signing one first: the configured ones, else those of the file in `data_dir`.

    Creates the file (mode 0600) when there is none; processes that start at the same time get the same keys. Raises
    SecretsError.
    """
    if configured:
        return _checked(configured, "TOKEN_SECRETS")
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        return _read(path)
    except OSError as error:
        raise SecretsError(f"{path} cannot be used: {error.strerror}; set TOKEN_SECRETS or mend the file") from None


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(4)}:{secrets.token_urlsafe(SECRET_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)  # atomic: the file appears whole, and only one process succeeds
        except FileExistsError:
            pass  # another process was first; its keys are used
    finally:
        os.unlink(name)


def _read(path: Path) -> tuple[SigningKey, ...]:
    with open(path, encoding="utf-8", errors="replace") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise SecretsError(f"{path} can be read by others: chmod 600 it, or delete it to log everybody out")
        text = file.read()
    pairs = [(kid, secret) for kid, _, secret in (line.strip().partition(":") for line in text.split()) if kid]
    return _checked(pairs, str(path), mend=": mend it, or delete it to log everybody out")


def _checked(pairs: Sequence[tuple[str, str]], source: str, *, mend: str = "") -> tuple[SigningKey, ...]:
    keys = tuple(SigningKey(kid, secret.encode()) for kid, secret in pairs)
    if not keys or any(not key.kid or len(key.secret) < SECRET_BYTES for key in keys):
        wanted = f"kid:secret pairs with secrets of at least {SECRET_BYTES} characters"
        raise SecretsError(f"{source} must hold {wanted}{mend}")
    if len({key.kid for key in keys}) != len(keys):
        raise SecretsError(f"{source} names one kid twice{mend}")
    return keys
