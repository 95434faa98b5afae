"""`./run seed` as people meet it: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from tests.kit.services import run_async

_CHECKOUT = Path(__file__).parents[3]


def _seed(database_url: str, data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", "seed", *options],
        env={**os.environ, "DATABASE_URL": database_url, "DATA_DIR": str(data_dir)},
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
    )


async def _count_people(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM users"))
    finally:
        await connection.close()


def test_a_network_is_written_with_progress_and_without_redis(database_url: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.jsonl"
    done = _seed(database_url, tmp_path, "--people", "7", "--posts", "3", "--tokens", str(tokens))
    assert done.returncode == 0, done.stderr
    assert "wrote 7 people" in done.stderr and "wrote 3 posts" in done.stderr
    assert len(tokens.read_text().splitlines()) == 7
    assert run_async(_count_people(database_url)) == 7


def test_a_bad_graph_is_refused_in_one_line(database_url: str, tmp_path: Path) -> None:
    graph = tmp_path / "graph.txt"
    graph.write_text("1 2\nthree\n")
    before = run_async(_count_people(database_url))
    done = _seed(database_url, tmp_path, "--graph", str(graph))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == f"rookery: {graph}, line 2: expected two numbers, one friendship a line"
    assert run_async(_count_people(database_url)) == before
