"""Writes the skeleton of a new feature: a table, its queries, two commands, and their tests."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from server.cli_error import CliError
from server.config import CHECKOUT
from server.features import FEATURES

SKELETON: Final = Path(__file__).parent / "skeleton"
NAME_CHARS_MAX: Final = 30
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_MIGRATION: Final = re.compile(r"(\d{4})_\w+")
_USERNAME_CHARS: Final = 20
"""What a test may add to a username of at most 30 characters."""

_FILES: Final[Mapping[str, str]] = {
    "migration.sql": "sql/migrations/${number}_${plural}.sql",
    "queries.sql": "sql/queries/${plural}.sql",
    "rows.py": "sql/${plural}.py",
    "package.py": "handlers/${plural}/__init__.py",
    "contract.py": "handlers/${plural}/contract.py",
    "operations.py": "handlers/${plural}/operations.py",
    "views.py": "handlers/${plural}/views.py",
    "feature.py": "handlers/${plural}/feature.py",
    "empty": "tests/handlers/${plural}/__init__.py",
    "test_operations.py": "tests/handlers/${plural}/test_operations.py",
    "test_queries.py": "tests/sql/test_${plural}.py",
}
"""By template: the file that it becomes."""


class _Insertion(NamedTuple):
    """A line for a file that lists all features: it goes before (or after) the last line that matches `anchor`."""

    file: str
    anchor: str
    line: str
    after: bool = True


_INSERTIONS: Final = (
    _Insertion("sql/ids.py", r"^\w+ = NewType\(", '${Noun}Id = NewType("${Noun}Id", int)'),
    _Insertion("sql/database.py", r"^from sql\.\w+ import \w+Queries$", "from sql.${plural} import ${Noun}Queries"),
    _Insertion("sql/database.py", r"^    \w+: \w+Queries$", "    ${plural}: ${Noun}Queries"),
    _Insertion(
        "server/features.py", r"^from handlers\.", "from handlers.${plural}.feature import FEATURE as ${PLURAL}"
    ),
    _Insertion("server/features.py", r"^\)", "    ${PLURAL},", after=False),
    _Insertion("pyproject.toml", r'^    "handlers\.\w+\.\w+",$', '    "handlers.${plural}.operations",'),
    _Insertion(
        "tests/contract/world.py",
        r"^    values = \{",
        '    await me.do("${namespace}", "${noun}:create", {"text": "The ${noun}"})',
        after=False,
    ),
    _Insertion(
        "tests/contract/provocations.py",
        r"^\}",
        '    ("${noun}:create", "conflict"): another_use_of_the_client_id,',
        after=False,
    ),
)


def new_feature(
    plural: str, *, noun: str | None = None, namespace: str = "/users", checkout: Path = CHECKOUT
) -> Sequence[Path]:
    """Writes the feature's files and adds it to the lists of features; returns all files that it wrote or changed.

    `plural` names the feature, its folders and its table; `noun` begins the names of its commands (None: `plural`
    without its last `s`). Raises CliError, and writes nothing, where a name is taken or cannot be used.
    """
    noun = noun or plural.removesuffix("s")
    _check(plural, noun, namespace)
    names = _names(plural, noun, namespace, checkout)
    written = {
        checkout / Template(target).substitute(names): Template(_template(name)).substitute(names)
        for name, target in _FILES.items()
    }
    for path in (checkout / "handlers" / plural, checkout / "handlers" / f"{plural}.py", *written):
        if path.exists():
            raise CliError(f"{path.relative_to(checkout)} is there already: choose another name")
    for path in (checkout / "sql" / "migrations").glob("*.sql"):
        if re.search(rf"^CREATE \w+ {plural}\b", path.read_text(), re.MULTILINE):
            raise CliError(f"{path.relative_to(checkout)} makes {plural} already: choose another name")
    for insertion in _INSERTIONS:
        path = checkout / insertion.file
        written[path] = _inserted(insertion, written.get(path) or path.read_text(), names)
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    _format([path for path in written if path.suffix == ".py"], checkout)
    # In a process that imports the new feature.
    subprocess.run([sys.executable, "-m", "server", "docs"], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    return list(written)


def _check(plural: str, noun: str, namespace: str) -> None:
    for name in (plural, noun):
        if not _NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX or keyword.iskeyword(name):
            raise CliError(
                f"{name!r} cannot name a feature: use lower-case words joined by _, {NAME_CHARS_MAX} characters at most"
            )
    if noun == plural:
        raise CliError(f"what is one of the {plural} called? Say it with --noun")
    namespaces = sorted({bound.command.namespace for feature in FEATURES for bound in feature.commands})
    if namespace not in namespaces:
        raise CliError(f"{namespace} is no namespace: take one of {', '.join(namespaces)}")
    nouns = {bound.command.name.partition(":")[0] for feature in FEATURES for bound in feature.commands}
    if noun in nouns:
        raise CliError(f"there are commands of the name {noun}: already: choose another noun with --noun")


def _names(plural: str, noun: str, namespace: str, checkout: Path) -> Mapping[str, str]:
    migrations = sorted(path.stem for path in (checkout / "sql" / "migrations").glob("*.sql"))
    last = _MIGRATION.fullmatch(migrations[-1])
    if last is None:
        raise CliError(f"sql/migrations/{migrations[-1]}.sql has no number: the next one cannot be told")
    return {
        "plural": plural,
        "Plural": "".join(part.title() for part in plural.split("_")),
        "PLURAL": plural.upper(),
        "noun": noun,
        "Noun": "".join(part.title() for part in noun.split("_")),
        "NOUN": noun.upper(),
        "short": plural[:_USERNAME_CHARS],
        "namespace": namespace,
        "number": f"{int(last[1]) + 1:04}",
        "depends": migrations[-1],
    }


def _template(name: str) -> str:
    return "" if name == "empty" else (SKELETON / f"{name}.tmpl").read_text()


def _inserted(insertion: _Insertion, text: str, names: Mapping[str, str]) -> str:
    lines = text.splitlines()
    places = [number for number, line in enumerate(lines) if re.match(insertion.anchor, line)]
    if not places:
        raise CliError(f"{insertion.file} has changed: no line of it matches {insertion.anchor}")
    lines.insert(places[-1] + insertion.after, Template(insertion.line).substitute(names))
    return "\n".join(lines) + "\n"


def _format(paths: Sequence[Path], checkout: Path) -> None:
    """Names of any length make lines of any length, and imports of any order."""
    for arguments in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, *map(str, paths)], cwd=checkout, check=True)
