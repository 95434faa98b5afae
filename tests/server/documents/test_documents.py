"""The copies in `docs/api/` are what the declarations make of them."""

from __future__ import annotations

from server.commands.docs import documents_by_path
from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry


def test_the_copies_in_the_checkout_are_up_to_date() -> None:
    old = [path.name for path, body in documents_by_path().items() if not path.exists() or path.read_bytes() != body]
    assert old == [], "./run docs brings them up to date"


def test_a_document_is_made_once() -> None:
    documents = Documents(Registry(FEATURES))
    assert all(documents.body(name) is documents.body(name) for name in documents.names)
