"""Writes the documents of the API into the checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from server.config import CHECKOUT
from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry


def docs(checkout: Path = CHECKOUT) -> list[Path]:
    """Writes the documents of all features to `docs/api/`; returns the files that were missing or not up to date."""
    written = []
    for path, body in documents_by_path(checkout).items():
        if not path.exists() or path.read_bytes() != body:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            written.append(path)
    return written


def documents_by_path(checkout: Path = CHECKOUT) -> Mapping[Path, bytes]:
    """The documents of all features, by the file that has a copy of each."""
    documents = Documents(Registry(FEATURES))
    return {checkout / "docs" / "api" / name: documents.body(name) for name in documents.names}
