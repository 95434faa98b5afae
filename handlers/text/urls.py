"""Web addresses in a text, with or without a scheme, also between characters of scripts that use no spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from handlers.text.span import Span
from handlers.text.top_level_domains import LONGEST, TOP_LEVEL_DOMAINS

LATIN_ACCENTED: Final = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    "\u02bb\u0300-\u036f\u1e00-\u1eff"
)
"""For a character class: Latin letters beyond ASCII, and marks that stand on letters."""
_DIRECTION_MARKS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVALID: Final = "\ufeff\ufffe\uffff"
_HOST_LETTER: Final = f"A-Za-z0-9{LATIN_ACCENTED}"
_PATH: Final = rf"A-Za-z0-9\u0400-\u04ff{LATIN_ACCENTED}!*';:=+,.$/%#\[\]\-\u2013_~@|&"
_PATH_END: Final = re.compile(rf"[A-Za-z0-9\u0400-\u04ff{LATIN_ACCENTED}+\-=_#/)]")

# A link begins with a scheme, or with a run of host letters that has a dot. What stands in front says that it is part
# of something else: an address of mail, a mention, a path.
_BEGINNING: Final = re.compile(
    rf"(?<![A-Za-z0-9@＠$#＃{_INVALID}])(?P<scheme>https?://)"
    rf"|(?<![{_HOST_LETTER}@＠$#＃{_INVALID}\-_./])[{_HOST_LETTER}][\-{_HOST_LETTER}]*\.[\-.{_HOST_LETTER}]*",
    re.IGNORECASE,
)
_AFTER_SCHEME: Final = re.compile(rf"[^\s!-,/:-@\[-^`{{-~{_DIRECTION_MARKS}{_INVALID}]*")
"""A host in any script; of the ASCII punctuation it may have `-`, `.` and `_`."""
_GOES_ON: Final = re.compile(r"[0-9A-Za-z@+\-]")
"""What follows a top-level domain only where it is none."""
_PUNYCODE: Final = re.compile(r"xn--[\-0-9a-z]+", re.IGNORECASE)
_PORT: Final = re.compile(r":[0-9]+")
_PATH_PART: Final = re.compile(rf"[{_PATH}]+|\([{_PATH}]*(?:\([{_PATH}]+\)[{_PATH}]*)?\)")
"""Round brackets belong to a path in pairs, one pair in another at most."""
_QUERY: Final = re.compile(r"\?[A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[A-Za-z0-9\-_&=#/]")

_PLAIN_HOST: Final = "t.co"
"""A shortener: its paths are letters and digits, so that what is typed behind one is no part of it."""
_PLAIN_PATH: Final = re.compile(r"/([A-Za-z0-9]+)")
_PLAIN_PATH_MAX: Final = 40

_LABEL_MAX: Final = 63
_HOST_MAX: Final = 253


def find_urls(text: str) -> Iterator[Span]:
    """The links as they are written, in order; all have a known top-level domain."""
    position = 0
    while (beginning := _BEGINNING.search(text, position)) is not None:
        start, scheme = beginning.start(), beginning["scheme"]
        run = beginning if scheme is None else _AFTER_SCHEME.match(text, beginning.end())
        host_start, position = (start if scheme is None else beginning.end()), beginning.end()
        host_end = None if run is None else _end_of_host(text, host_start, run.end())
        if host_end is None:
            continue
        end = _end_of_url(text, host_start, host_end, is_plain=scheme is not None)
        if end is not None:
            position = end
            yield Span(text[start:end], start, end)


def _end_of_host(text: str, start: int, run_end: int) -> int | None:
    """Where the longest host ends that starts here; `run_end`: where characters of hosts end."""
    labels = text[start:run_end].split(".")
    label_start = run_end - len(labels[-1])
    for count in range(len(labels) - 1, 0, -1):
        # A run of Latin letters may end with the dot before a top-level domain in another script.
        end = _end_of_top_level(text, label_start, run_end if labels[count] else len(text))
        if end is not None and end - start <= _HOST_MAX and _are_labels(labels[:count]):
            return end
        label_start -= len(labels[count - 1]) + 1
        run_end = label_start + len(labels[count - 1])
    return None


def _end_of_top_level(text: str, start: int, limit: int) -> int | None:
    encoded = _PUNYCODE.match(text, start, limit)
    if encoded is not None:
        return encoded.end()
    for end in range(min(start + LONGEST, limit), start + 1, -1):
        if text[start:end].lower() in TOP_LEVEL_DOMAINS and _GOES_ON.match(text, end) is None:
            return end
    return None


def _are_labels(labels: list[str]) -> bool:
    """Whether these may stand before a top-level domain; underscores are allowed in subdomains only."""
    return "_" not in labels[-1] and all(_is_label(label) for label in labels)


def _is_label(label: str) -> bool:
    if not label or label[0] in "-_" or label[-1] in "-_":
        return False
    if label.isascii():
        return len(label) <= _LABEL_MAX
    # Such a prefix says that the label is ASCII already.
    return not label.lower().startswith("xn--") and len(b"xn--" + label.encode("punycode")) <= _LABEL_MAX


def _end_of_url(text: str, host_start: int, host_end: int, *, is_plain: bool) -> int | None:
    """None: it looks like a link and is none."""
    if is_plain and text[host_start:host_end].lower() == _PLAIN_HOST:
        path = _PLAIN_PATH.match(text, host_end)
        if path is None:
            return host_end
        return None if len(path[1]) > _PLAIN_PATH_MAX else _end_of_query(text, path.end())
    port = _PORT.match(text, host_end)
    end = host_end if port is None else port.end()
    return _end_of_query(text, _end_of_path(text, end) if text.startswith("/", end) else end)


def _end_of_path(text: str, start: int) -> int:
    end = start + 1
    while (part := _PATH_PART.match(text, end)) is not None:
        end = part.end()
    while _PATH_END.match(text, end - 1) is None:  # the slash at the start is an end, too
        end -= 1
    return end


def _end_of_query(text: str, start: int) -> int:
    query = _QUERY.match(text, start)
    return start if query is None else query.end()
