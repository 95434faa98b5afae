"""What stands in the place of a payload that was not read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unparseable:
    """A payload that could not be parsed, or was refused before it was parsed; `reason` is told to its sender."""

    reason: str
