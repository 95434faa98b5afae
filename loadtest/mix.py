"""How often a user does what."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final, Literal

Act = Literal["page", "post", "like", "follow", "message"]

PROFILES: Final[Mapping[str, Mapping[Act, int]]] = {
    "basic": {"page": 50, "post": 10, "like": 25, "follow": 15},
    "social": {"page": 35, "post": 8, "like": 25, "follow": 12, "message": 20},
}
"""The share of each act, by profile. The targets are for "basic"."""


def choose(profile: str, chooser: random.Random) -> Act:
    """Chooses the next act of a user."""
    shares = PROFILES[profile]
    return chooser.choices(list(shares), weights=list(shares.values()))[0]
