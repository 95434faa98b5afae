"""`./run docs` writes what is missing or old, and nothing else."""

from __future__ import annotations

from pathlib import Path

from server.commands.docs import docs


def test_only_what_is_missing_or_old_is_written(tmp_path: Path) -> None:
    written = docs(tmp_path)
    assert {path.parent for path in written} == {tmp_path / "docs" / "api"}
    assert docs(tmp_path) == []
    right = written[0].read_bytes()
    written[0].write_text("old")
    assert docs(tmp_path) == [written[0]]
    assert written[0].read_bytes() == right
