"""The files to which the house rules apply."""

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PRODUCT = ("server", "handlers", "realtime", "sql")
_GENERATED = {"node_modules", "__pycache__"}
_KINDS = {".py", ".sql", ".lua", ".js", ".ts", ".html", ".md", ".toml", ".yml", ".in", ".example"}


def product_modules() -> list[Path]:
    """Relative to the checkout."""
    return [path for folder in PRODUCT for path in sources(folder) if path.suffix == ".py"]


def sources(*folders: str) -> list[Path]:
    """Files that people write and read, relative to the checkout; without folders: everywhere."""
    roots = [CHECKOUT / folder for folder in folders] or [CHECKOUT]
    found: list[Path] = []
    for root in roots:
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(CHECKOUT)
            hidden = any(part.startswith(".") for part in relative.parts[:-1])
            if path.is_file() and path.suffix in _KINDS and not hidden and not _GENERATED & set(relative.parts):
                found.append(relative)
    return found
