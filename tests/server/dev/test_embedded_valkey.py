import os
import signal
from pathlib import Path

import pytest
import redis

from server.dev.embedded_binaries import EmbeddedError
from server.dev.embedded_valkey import EmbeddedValkey


def test_it_answers_until_it_is_stopped(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    assert not server.running()
    server.start()
    client = redis.Redis.from_url(server.url)
    assert client.ping()
    server.stop()
    client.close()
    assert not server.running()
    server.stop()


def test_what_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    client = redis.Redis.from_url(server.url)
    os.kill(client.info("server")["process_id"], signal.SIGKILL)
    client.close()
    server.stop()
    server.start()
    assert server.running()
    server.stop()


def test_another_process_finds_and_stops_it(tmp_path: Path) -> None:
    started = EmbeddedValkey(tmp_path)
    started.start()
    found = EmbeddedValkey(tmp_path)
    found.start()
    assert found.running()
    found.stop()
    assert not started.running()
    started.stop()


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / ("long " * 30))
    server.start()
    client = redis.Redis.from_url(server.url)
    assert client.ping()
    client.close()
    server.stop()


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot run Valkey in .*Not a directory"):
        EmbeddedValkey(tmp_path / "file" / "folder").start()
