"""Load goes only to this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.target import NotALoopbackAddress, running_server


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(json.dumps({"user_id": "5", "username": "ada", "access_token": "t"}) + "\n")
    return file


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://127.8.9.1:8000", "http://[::1]:8000", "http://localhost:8000"]
)
def test_this_machine_is_taken(tokens: Path, url: str) -> None:
    target = running_server(url + "/", tokens)
    assert target.url == url
    assert target.people.next_login().username == "ada"


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8000",
        "http://[2001:db8::1]:8000",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://127.0.0.1@192.0.2.1:8000",
        "http://127.0.0.1:80@192.0.2.1",
        "http://3221225985",
        "192.0.2.1:8000",
        "http://",
        "",
    ],
)
def test_any_other_is_refused(tokens: Path, url: str) -> None:
    with pytest.raises(NotALoopbackAddress, match="not on this machine"):
        running_server(url, tokens)


def test_an_address_is_refused_before_any_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(NotALoopbackAddress):
        running_server("http://192.0.2.1", tmp_path / "missing")


def test_a_name_of_this_machine_and_another_is_refused(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: None) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]

    monkeypatch.setattr("loadtest.target.socket.getaddrinfo", look_up)
    with pytest.raises(NotALoopbackAddress, match="not on this machine"):
        running_server("http://both.example:8000", tokens)
