"""The rules of clean text as a regular expression for JSON Schema, in words that all of its dialects know."""

from __future__ import annotations

from typing import Final

_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f"
_CONTROLS_IN_LINES: Final = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"


def text_pattern(shortest: int, *, lines: bool) -> str:
    """Matches all text that `TextRule` takes, and of what it refuses only text of characters that nobody sees.

    Those are too many for a pattern that people can read, beside the space (and in `lines` tab and newline).
    """
    controls, spaces = (_CONTROLS_IN_LINES, r" \t\n\r") if lines else (_CONTROLS, " ")
    if shortest == 0:
        return f"^[^{controls}]*$"
    rest = f"[^{controls}]*" if shortest == 1 else f"[^{controls}]{{{shortest - 2},}}[^{controls}{spaces}]"
    return f"^[{spaces}]*[^{controls}{spaces}]{rest}{'' if shortest == 1 else f'[{spaces}]*'}$"
