from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from server.dev.embedded_binaries import EmbeddedError
from server.dev.nginx import nginx_binary, nginx_config

NODES = {"n1": "127.0.0.1:8001", "n10": "127.0.0.1:8010", "n2": "127.0.0.1:8002"}


def block(config: str, head: str) -> list[str]:
    """The lines of a block, without white space."""
    return [line.strip() for line in config.split(f"{head} {{\n", 1)[1].split("}", 1)[0].splitlines()]


def test_a_session_and_a_cursor_lead_to_the_node_that_gave_them() -> None:
    routes = block(nginx_config(NODES, listen="127.0.0.1:8000"), "map $arg_sid$arg_cursor $pool")
    # The dash keeps n1 and n10 apart.
    assert "~^n1- node_n1;" in routes and "~^n10- node_n10;" in routes
    assert "default every_node;" in routes


def test_other_nodes_answer_for_a_dead_node() -> None:
    pool = block(nginx_config(NODES, listen="127.0.0.1:8000"), "upstream node_n2")
    assert pool[0] == "server 127.0.0.1:8002 max_fails=1 fail_timeout=2s;"
    assert set(pool[1:3]) == {"server 127.0.0.1:8001 backup;", "server 127.0.0.1:8010 backup;"}


def test_only_handshakes_are_tried_elsewhere_after_a_503() -> None:
    config = nginx_config(NODES, listen="127.0.0.1:8000")
    assert "proxy_next_upstream error timeout http_503;" in block(config, "location /socket.io")
    assert "proxy_next_upstream error timeout;" in block(config, "location /")


@pytest.mark.parametrize("listen", ["127.0.0.1:8000", "[::1]:8000"])
def test_nginx_takes_the_configuration(tmp_path: Path, listen: str) -> None:
    try:
        nginx = nginx_binary()
    except EmbeddedError as missing:
        pytest.skip(str(missing))
    (tmp_path / "nginx.conf").write_text(nginx_config(NODES, listen=listen))
    command = [str(nginx), "-t", "-p", f"{tmp_path}/", "-c", "nginx.conf", "-e", "nginx.log"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr


def test_a_missing_nginx_is_reported_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **places: None)
    monkeypatch.setattr("server.dev.nginx.importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match="apt install nginx"):
        nginx_binary()
