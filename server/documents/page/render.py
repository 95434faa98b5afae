"""Renders the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from realtime.contract.errors import CLOSE_REASONS, COMMON_ERRORS
from server.documents.page.diagrams import DIAGRAMS, WIDTH
from server.documents.page.listing import Listing
from server.pipeline.registry import Registry
from server.version import VERSION

_TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"`([^`]+)`")


class _Span(NamedTuple):
    """A piece of prose; `href` is set for code that names a command or push."""

    text: str
    is_code: bool
    href: str | None = None


def page_html(registry: Registry) -> bytes:
    """The whole page as UTF-8. It takes some tenths of a second."""
    entries = Listing(registry)
    names = entries.names()

    def spans(text: str) -> list[_Span]:
        """Splits prose at its backticks."""
        parts = _CODE.split(text)
        return [
            _Span(part, number % 2 == 1, f"#{part}" if number % 2 and part in names else None)
            for number, part in enumerate(parts)
            if part
        ]

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spans"] = spans
    environment.filters["paragraphs"] = lambda text: text.split("\n\n")
    html = environment.get_template("page.html").render(
        entries=entries,
        errors=COMMON_ERRORS,
        closes=CLOSE_REASONS,
        diagrams=DIAGRAMS,
        diagram_width=WIDTH,
        version=VERSION,
    )
    return html.encode()
