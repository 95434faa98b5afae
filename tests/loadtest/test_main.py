"""A small load test from beginning to end, started as from a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.checkout import CHECKOUT

USERS = 4
DONE_WITHIN_S = 150


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short name: PostgreSQL in a folder with a long name puts its socket elsewhere."""
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        yield Path(folder)


async def loadtest(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Exit status and the output of each stream; temporary files go to the folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtest",
        *arguments,
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DONE_WITHIN_S):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


@pytest.mark.timeout(DONE_WITHIN_S + 20)
async def test_it_starts_a_server_measures_it_and_leaves_nothing_but_the_figures(
    tmp_path: Path, temporary: Path
) -> None:
    results = tmp_path / "results"
    options = ["--users", str(USERS), "--rate", "40", "--duration-s", "2", "--profile", "social"]
    status, out, errors = await loadtest(*options, "--results", str(results), folder=temporary)
    assert status == 0, out + errors
    assert [file.name for file in results.iterdir()] == ["social.json"]
    kept = json.loads((results / "social.json").read_text())
    assert (kept["users"], kept["duration_s"], kept["profile"]) == (USERS, 2, "social")
    answers = [line for line in kept["lines"] if line["kind"] != "PUSH"]
    assert sum(line["count"] for line in answers) > 0
    assert {line["kind"] for line in answers} > {"SOCKET"}, "nobody used REST"
    assert all(line["failures"] == 0 and 0 <= line["p50_ms"] <= line["p99_ms"] for line in kept["lines"])
    for line in kept["lines"]:
        assert any(row.split()[:2] == [line["kind"], line["name"]] for row in out.splitlines()), line
    assert str(results / "social.json") in out
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--users", "0"], "must be above zero"),
        (["--rate", "0"], "must be above zero"),
        (["--duration-s", "0"], "must be above zero"),
        (["--url", "http://127.0.0.1:1"], "--tokens"),
        (["--url", "http://192.0.2.1:8000", "--tokens", "missing"], "not on this machine"),
        (["--url", "http://127.0.0.1:1", "--tokens", "missing"], "missing"),
    ],
)
async def test_a_wrong_wish_is_answered_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    status, out, errors = await loadtest(*arguments, folder=tmp_path)
    assert status != 0
    assert (out, said in errors.splitlines()[-1]) == ("", True), errors
