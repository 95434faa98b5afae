"""Stands for a payload that was not parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unparseable:
    """A payload that could not be parsed, or was refused before parsing; its sender gets `reason` in the answer."""

    reason: str
