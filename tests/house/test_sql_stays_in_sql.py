"""No SQL string is outside `sql/`, and none is assembled."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.checkout import CHECKOUT, product_modules, sources

_SQL = re.compile(
    r"^\s*(?:SELECT\b.+\bFROM\b|SELECT\s+[\w*(]|INSERT\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|WITH\s+\w+\s+AS\s*\("
    r"|(?:CREATE|ALTER|DROP)\s+(?:TABLE|INDEX|DATABASE|SCHEMA|FUNCTION|TYPE)\b|TRUNCATE\b|COPY\s+\w+|SET\s+(?:LOCAL|SESSION)\b"
    r"|BEGIN\s*;?$|COMMIT\s*;?$|ROLLBACK\s*;?$|SHOW\s+\w+\s*;?$)",
    re.DOTALL,
)


def sql_strings(source: str) -> Iterator[tuple[int, str]]:
    """Strings of a Python source that are SQL, without its docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        if isinstance(node, ast.expr) and _SQL.search(text):
            yield node.lineno, text


def test_no_sql_outside_its_folder() -> None:
    paths = [path for path in (*product_modules(), *sources("loadtest")) if path.suffix == ".py"]
    found = [
        f"{path}:{line}: {text[:60]}"
        for path in paths
        if path.parts[0] != "sql"
        for line, text in sql_strings((CHECKOUT / path).read_text())
    ]
    assert found == []


def test_queries_stand_in_query_files_only() -> None:
    found = [
        f"{path}:{line}: {text[:60]}"
        for path in sources("sql")
        if path.suffix == ".py"
        for line, text in sql_strings((CHECKOUT / path).read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "is_sql"),
    [
        ("x = 'SELECT id FROM users'", True),
        ("x = f'SELECT {name} FROM users'", True),
        ("x = '''\n  UPDATE users SET a = 1'''", True),
        ("x = 'DELETE FROM users'", True),
        ("x = 'Select a person from the list'", False),
        ("def f():\n    'SELECT in a docstring FROM here'", False),
        ("x = 'DELETE'", False),
    ],
)
def test_the_rule_itself(source: str, is_sql: bool) -> None:
    assert bool(list(sql_strings(source))) is is_sql
