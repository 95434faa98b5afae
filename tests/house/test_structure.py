"""The structure of the product: small folders, unique class names, and no two files that import each other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.house.checkout import CHECKOUT, product_modules, sources

FILES_MAX = 22
METAPHORS = {
    "beforehand",
    "bequeath",
    "bequest",
    "estate",
    "estates",
    "front",
    "gap",
    "gaps",
    "gate",
    "handover",
    "happening",
    "happenings",
    "heir",
    "heirs",
    "holder",
    "holders",
    "inbound",
    "inherit",
    "letter",
    "letters",
    "link",
    "links",
    "listener",
    "listeners",
    "reentry",
    "trail",
    "trails",
}
"""Words that once stood for a session's recovery state, its handoff, node RPC and the like: each has a term of its own.
A post may have a link."""
_A_POSTS_LINK = ("handlers", "sql")


def _imports(module: Path, known: Mapping[str, Path]) -> Iterator[Path]:
    """The modules of the product that a module imports, including those only for the type checker."""
    for node in ast.walk(ast.parse((CHECKOUT / module).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (known[name] for name in names if name in known)


def import_graph() -> dict[Path, set[Path]]:
    modules = product_modules()
    known = {".".join(path.with_suffix("").parts): path for path in modules if path.name != "__init__.py"}
    return {path: set(_imports(path, known)) - {path} for path in modules}


def circles(graph: Mapping[Path, set[Path]]) -> list[list[str]]:
    """Groups of files that reach each other, by Tarjan's algorithm."""
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    found: list[list[str]] = []

    def visit(path: Path) -> None:
        index[path] = low[path] = len(index)
        stack.append(path)
        for other in graph[path]:
            if other not in index:
                visit(other)
                low[path] = min(low[path], low[other])
            elif other in stack:
                low[path] = min(low[path], index[other])
        if low[path] == index[path]:
            group = stack[stack.index(path) :]
            del stack[stack.index(path) :]
            if len(group) > 1:
                found.append(sorted(map(str, group)))

    for path in graph:
        if path not in index:
            visit(path)
    return found


def _classes_and_functions(module: Path) -> Iterator[tuple[str, bool]]:
    """The names that a module defines, and whether each is a class."""
    for node in ast.walk(ast.parse((CHECKOUT / module).read_text())):
        if isinstance(node, ast.ClassDef):
            yield node.name, True
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, False


def words_of(name: str) -> set[str]:
    """The words of an identifier, in lower case."""
    return {word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part)}


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent for path in sources("server", "handlers", "realtime", "sql"))
    assert {str(folder): count for folder, count in counts.items() if count > FILES_MAX} == {}


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for module in product_modules():
        for name, is_class in _classes_and_functions(module):
            if is_class and not name.startswith("_"):
                places.setdefault(name, []).append(str(module))
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_no_two_files_need_each_other() -> None:
    assert circles(import_graph()) == []


def test_names_are_terms_of_the_field() -> None:
    odd = []
    for module in product_modules():
        allowed = {"link"} if module.parts[0] in _A_POSTS_LINK else set()
        names = [module.stem, *(name for name, _ in _classes_and_functions(module))]
        odd += [f"{module}: {name}" for name in names if (METAPHORS - allowed) & words_of(name)]
    assert odd == []


def test_the_search_for_circles_finds_them() -> None:
    a, b, c, d = (Path(name) for name in "abcd")
    assert circles({a: {b}, b: {c}, c: {b, d}, d: set()}) == [["b", "c"]]
    assert circles({a: {b}, b: {c}, c: set(), d: {a}}) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SessionEstate", {"session", "estate"}),
        ("_on_gap", {"on", "gap"}),
        ("HTTPServer", {"http", "server"}),
        ("linker", {"linker"}),
    ],
)
def test_an_identifier_is_read_word_by_word(name: str, words: set[str]) -> None:
    assert words_of(name) == words
