"""Users choose acts in the shares of their profile."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from loadtest.mix import PROFILES, choose

CHOICES = 20_000


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_shares_are_percentages_and_are_kept(profile: str) -> None:
    shares = PROFILES[profile]
    assert sum(shares.values()) == 100
    chooser = random.Random(1)
    chosen = Counter(choose(profile, chooser) for _ in range(CHOICES))
    assert set(chosen) == set(shares)
    for act, share in shares.items():
        assert abs(chosen[act] / CHOICES - share / 100) < 0.02


def test_one_seed_is_one_course_of_action() -> None:
    courses = []
    for seed in (1, 1, 2):
        chooser = random.Random(seed)
        courses.append([choose("social", chooser) for _ in range(50)])
    assert courses[0] == courses[1] != courses[2]
