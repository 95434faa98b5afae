import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from server.config import CHECKOUT, Settings, SettingsError, load_settings, table


@pytest.fixture(autouse=True)
def only_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", os.devnull)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_fresh_machine_needs_no_setting() -> None:
    settings = load_settings()
    assert (settings.database_url, settings.redis_url, settings.port) == ("", "", 8000)
    assert settings.data_dir == CHECKOUT / ".data"


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=1\nPOOL_MAX=1\nFEED_LIMIT_DEFAULT=1\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("ENV_FILE", str(file))
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("POOL_MAX", "2")
    settings = load_settings(port=3)
    assert (settings.port, settings.pool_max, settings.feed_limit_default) == (3, 2, 1)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgres"])
def test_the_driver_of_other_tools_is_taken_off_the_database_url(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://a:b+c@host/name")
    assert load_settings().database_url == f"{scheme.split('+')[0]}://a:b+c@host/name"


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, ::1/128")
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://A.example/,https://b.example")
    monkeypatch.setenv("TOKEN_SECRETS", f"new:{'x' * 32}:y,old:{'z' * 32}")
    settings = load_settings()
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.token_secrets == (("new", "x" * 32 + ":y"), ("old", "z" * 32))


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRETS", "")
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "eighty"),
        ("DATABASE_URL", "mysql://secret@host"),
        ("REDIS_URL", "http://secret@host"),
        ("TOKEN_SECRETS", "kid:secret"),
        ("TOKEN_SECRETS", "secret" * 8),
        ("TOKEN_SECRETS", f"a:{'secret' * 8},a:{'x' * 32}"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("ALLOWED_ORIGINS", "a.example"),
        ("ALLOWED_ORIGINS", "https://a.example/page"),
        ("ALLOWED_ORIGINS", "*,https://a.*.example"),
        ("ALLOWED_ORIGINS", "https://me:secretsecret@a.example"),
        ("ALLOWED_ORIGINS", "null"),
        ("FORWARDED_HEADER", "X-Forwarded-For, Forwarded"),
        ("LOG_FORMAT", "xml"),
        ("RATE_LIMIT_FACTOR", "0"),
    ],
)
def test_a_bad_value_is_reported_in_one_line_that_names_it_and_keeps_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{name} cannot be used: ")
    assert "\n" not in str(refused.value) and "secretsecret" not in str(refused.value)


def test_nothing_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRETS", f"kid:{'secret' * 8}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/name")
    monkeypatch.setenv("REDIS_URL", "redis://:secret@host")
    assert "secret" not in repr(load_settings()).replace("token_secrets", "")


def test_the_table_has_every_setting_with_its_reason_and_no_path_of_this_machine() -> None:
    lines = table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == [name.upper() for name in Settings.model_fields]
    assert all(len(line.split(" | ")[2]) > 10 for line in lines)
    assert str(CHECKOUT) not in table()
