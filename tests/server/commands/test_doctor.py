import socket
from pathlib import Path

import pytest

from server.commands.doctor import examine, findings
from server.config import Settings, load_settings
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", port=0, database_url="", redis_url="")


def bad(settings: Settings) -> list[str]:
    return [finding.text for finding in findings(settings) if not finding.good]


def test_a_fresh_machine_is_well_and_stays_as_quiet_as_it_was(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examine(settings)
    assert all(line.startswith("ok ") for line in capsys.readouterr().out.splitlines())
    assert not EmbeddedPostgres(settings.data_dir).running() and not EmbeddedValkey(settings.data_dir).running()


def test_a_busy_port_is_found(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert bad(settings.model_copy(update={"port": port})) == [
            f"port {port} is in use: stop what listens there, or choose another one with --port N"
        ]


def test_a_file_in_the_place_of_the_data_is_found(settings: Settings) -> None:
    settings.data_dir.touch()
    assert any("is not a folder" in text for text in bad(settings))


def test_damaged_data_is_found(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert examine(settings)
    (settings.data_dir / "postgres" / "global" / "pg_control").unlink()
    assert not examine(settings)
    assert "BAD  the database in" in capsys.readouterr().out


def test_servers_that_cannot_be_reached_are_found(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://me:secret@127.0.0.1:1/x"})
    (told,) = bad(away)
    assert "cannot reach PostgreSQL" in told and "secret" not in told
    away = settings.model_copy(update={"redis_url": "redis://:secret@127.0.0.1:1"})
    (told,) = bad(away)
    assert "cannot reach Redis" in told and "secret" not in told
