"""How long files may be, what they may be called, and what must not stand in them."""

import re
from pathlib import Path

import pytest

from tests.house.checkout import CHECKOUT, PRODUCT, sources

PRODUCT_LINES_MAX = 400
TEST_LINES_MAX = 500
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc"}
_MADE = Path("docs/api")
"""Made from the declarations, to be read by programs."""
_CODE = {".py", ".sql", ".lua", ".js", ".ts"}
_MACHINE = re.compile(r"(?<![\w.:/])/(?:root|work|home/\w+|tmp/\w+)/")
_SILENCED = re.compile(r"#\s*(?:type:\s*ignore|noqa)")
_SILENCED_WITH_REASON = re.compile(r"#\s*(?:type:\s*ignore\[[\w-]+(?:,\s*[\w-]+)*\]|noqa:\s*\w+)\s+#\s*\w{2,}.*\s\w+")


def test_no_file_is_too_long() -> None:
    too_long = {}
    for path in sources():
        if path.suffix in _CODE and path.parent != _MADE:
            lines = len((CHECKOUT / path).read_text().splitlines())
            if lines > (TEST_LINES_MAX if path.parts[0] == "tests" else PRODUCT_LINES_MAX):
                too_long[str(path)] = lines
    assert too_long == {}


def test_every_name_says_something() -> None:
    assert [str(path) for path in sources() if SAY_NOTHING & {path.stem, *path.parts[:-1]}] == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert [str(path) for path in sources() if _MACHINE.search((CHECKOUT / path).read_text())] == []


def test_a_silenced_check_says_why() -> None:
    bare = []
    for path in sources(*PRODUCT, "loadtest"):
        if path.suffix == ".py":
            for number, line in enumerate((CHECKOUT / path).read_text().splitlines(), 1):
                if _SILENCED.search(line) and not _SILENCED_WITH_REASON.search(line):
                    bare.append(f"{path}:{number}")
    assert bare == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in sources("tests") if path.suffix == ".py"}
    assert [str(folder) for folder in sorted(folders) if not (CHECKOUT / folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[arg-type]", True),
        ("x = 1  # noqa: E501", True),
        ("x = 1  # type: ignore[arg-type]  # the library says Any", False),
        ("x = 1  # noqa: E501  # an address cannot be cut", False),
    ],
)
def test_the_rule_about_silenced_checks_itself(line: str, told: bool) -> None:
    assert bool(_SILENCED.search(line) and not _SILENCED_WITH_REASON.search(line)) is told
