"""Unicode's controls of text direction, U+202A-202E and U+2066-2069.

One that is left open turns around what an interface shows after the text, such as the end of a file's name.
"""

from __future__ import annotations

import re
from typing import Final

POP_EMBEDDING: Final = "\u202c"
POP_ISOLATE: Final = "\u2069"
_CLOSED_BY: Final = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", POP_EMBEDDING),
    **dict.fromkeys("\u2066\u2067\u2068", POP_ISOLATE),
}
_CONTROL: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_PART: Final = re.compile("[\u202a-\u202e\u2066-\u2069]|[\n\r\u2029]|[^\u202a-\u202e\u2066-\u2069\n\r\u2029]+")
_PARAGRAPH_ENDS: Final = "\n\r\u2029"


def without_bidi_controls(text: str) -> str:
    return _CONTROL.sub("", text)


def balanced(text: str) -> str:
    """The text with all controls closed in their paragraph; those that close nothing are left out."""
    if _CONTROL.search(text) is None:
        return text
    parts: list[str] = []
    closers: list[str] = []
    """What closes the controls that are open, the innermost last."""
    for part in _PART.findall(text):
        if part in _CLOSED_BY:
            closers.append(_CLOSED_BY[part])
            parts.append(part)
        elif part == POP_EMBEDDING:
            if closers and closers[-1] == POP_EMBEDDING:
                parts.append(closers.pop())
        elif part == POP_ISOLATE:
            if POP_ISOLATE in closers:  # it ends the embeddings inside of the isolate too
                while closers[-1] == POP_EMBEDDING:
                    parts.append(closers.pop())
                parts.append(closers.pop())
        elif part in _PARAGRAPH_ENDS:
            parts += reversed(closers)
            closers.clear()
            parts.append(part)
        else:
            parts.append(part)
    parts += reversed(closers)
    return "".join(parts)
