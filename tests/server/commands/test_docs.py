"""`./run docs` writes what is missing or old, and nothing else."""

from __future__ import annotations

from pathlib import Path

import orjson

from server.commands.docs import breaks_since_release, docs
from server.documents.compatibility.breaks import COMPARED


def test_only_what_is_missing_or_old_is_written(tmp_path: Path) -> None:
    written = docs(tmp_path)
    assert {path.parent for path in written} == {tmp_path / "docs" / "api"}
    assert docs(tmp_path) == []
    right = written[0].read_bytes()
    written[0].write_text("old")
    assert docs(tmp_path) == [written[0]]
    assert written[0].read_bytes() == right


def test_nothing_breaks_the_clients_of_the_released_version() -> None:
    assert breaks_since_release() == [], (
        "this takes another version (server/version.py: the first number, before 1.0.0 the second); "
        "where the change is of something that no released version had, ./run docs --release"
    )


def test_a_release_is_what_later_versions_are_judged_by(tmp_path: Path) -> None:
    written = {path.relative_to(tmp_path) for path in docs(tmp_path, release=True)}
    assert {Path("docs", "api", "released", name) for name in COMPARED} <= written
    assert breaks_since_release(tmp_path) == []
    released = tmp_path / "docs" / "api" / "released" / "asyncapi.json"
    document = orjson.loads(released.read_bytes())
    document["components"]["schemas"]["Post"]["properties"]["mood"] = {"type": "string"}
    released.write_bytes(orjson.dumps(document))
    assert "asyncapi.json: post:get: of the answer, post.mood is not there" in breaks_since_release(tmp_path)
