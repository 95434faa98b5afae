"""Writes the documents of the API into the checkout."""

from __future__ import annotations

from pathlib import Path

import orjson

from server.config import CHECKOUT
from server.documents.compatibility.breaks import COMPARED, breaks
from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry

API = Path("docs", "api")
RELEASED = API / "released"
"""Where the documents of the last released version are kept."""


def docs(checkout: Path = CHECKOUT, *, release: bool = False) -> list[Path]:
    """Writes the documents of all features to `docs/api/`; returns the files that were missing or not up to date.

    `release` writes those by which later versions are judged, too.
    """
    documents = documents_by_path(checkout)
    if release:
        documents = {**documents, **{checkout / RELEASED / name: documents[checkout / API / name] for name in COMPARED}}
    written = []
    for path, body in documents.items():
        if not path.exists() or path.read_bytes() != body:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            written.append(path)
    return written


def documents_by_path(checkout: Path = CHECKOUT) -> dict[Path, bytes]:
    """The documents of all features, by the file that has a copy of each."""
    documents = Documents(Registry(FEATURES))
    return {checkout / API / name: documents.body(name) for name in documents.names}


def breaks_since_release(checkout: Path = CHECKOUT) -> list[str]:
    """What would break the clients of the released version, where the version number does not say that it may."""
    documents = Documents(Registry(FEATURES))
    found = []
    for name in COMPARED:
        released = orjson.loads((checkout / RELEASED / name).read_bytes())
        found += [f"{name}: {told}" for told in breaks(name, released, orjson.loads(documents.body(name)))]
    return found
