"""A feature's skeleton passes every check and its tests, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from server.cli_error import CliError
from server.commands.new_feature import new_feature

CHECKOUT = Path(__file__).parents[3]
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", "node_modules", "__pycache__", ".hypothesis")


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`./run ...` in the copy, which shares what is installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "ROOKERY"))}
    return subprocess.run(
        [str(copy / "run"), *arguments], cwd=copy, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(CHECKOUT, copy, ignore=_NOT_COPIED)
    for shared in (".venv", "tests/js/node_modules", "loadtest/peers/node/node_modules"):
        if (CHECKOUT / shared).exists():
            (copy / shared).symlink_to(CHECKOUT / shared)
    return copy


def files_of(copy: Path) -> dict[Path, bytes]:
    folders = ("handlers", "server", "sql", "tests")
    written = [path for folder in folders for path in (copy / folder).rglob("*") if path.suffix in (".py", ".sql")]
    return {path: path.read_bytes() for path in (copy / "pyproject.toml", *written) if path.is_file()}


@pytest.mark.timeout(400)
def test_a_skeleton_passes_checks_and_tests(copy: Path) -> None:
    before = files_of(copy)
    made = run(copy, "new-feature", "ratings", "--namespace", "/posts")
    assert made.returncode == 0, made.stderr
    told = {copy / line for line in made.stdout.splitlines()}
    after = files_of(copy)
    assert told == {path for path in after if after[path] != before.get(path)}
    # Nothing else was written, and what the new files import is checked with them.
    checked = run(copy, "check", *(str(path) for path in told if path.suffix == ".py"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The rest of the suite does not depend on which features there are.
    tested = run(copy, "test", "-n", "0", "-q", "-k", "rating or database or registry or every_declared", *_TESTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr


_TESTS = ("tests/handlers/ratings", "tests/sql", "tests/contract", "tests/server/pipeline")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for all that must write nothing."""
    copy = tmp_path_factory.mktemp("project") / "copy"
    for folder in ("handlers", "server", "sql"):
        shutil.copytree(CHECKOUT / folder, copy / folder, ignore=_NOT_COPIED)
    shutil.copytree(CHECKOUT / "tests" / "contract", copy / "tests" / "contract", ignore=_NOT_COPIED)
    return copy


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("Ratings", {}, "'Ratings' cannot name a feature: use lower-case words joined by _, 30 characters at most"),
        ("class", {}, "'class' cannot name a feature: use lower-case words joined by _, 30 characters at most"),
        ("sheep", {}, "what is one of the sheep called? Say it with --noun"),
        ("posts", {}, "there are commands of the name post: already: choose another noun with --noun"),
        ("posts", {"noun": "note"}, "handlers/posts is there already: choose another name"),
        ("limits", {}, "handlers/limits.py is there already: choose another name"),
        (
            "fact_leases",
            {"noun": "lease"},
            "sql/migrations/0005_fact_log.sql makes fact_leases already: choose another name",
        ),
        ("ratings", {"namespace": "/x"}, "/x is no namespace: take one of /auth, /chat, /feed, /posts, /users"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_and_nothing_written(
    untouched: Path, name: str, options: dict[str, str], told: str
) -> None:
    before = files_of(untouched)
    with pytest.raises(CliError, match=re.escape(told)):
        new_feature(name, checkout=untouched, **options)
    assert files_of(untouched) == before
