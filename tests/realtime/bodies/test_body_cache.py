"""The bounded cache of encoded objects."""

from __future__ import annotations

import random
from sys import getsizeof

from realtime.bodies.body_cache import ENTRY_BYTES, BodyCache

BODY = b"x" * 100
TAKEN = ENTRY_BYTES + getsizeof(BODY)


def test_a_body_is_found_by_its_key_only() -> None:
    bodies = BodyCache(10 * TAKEN)
    bodies.put((1, 7), b"one")
    assert bodies.get((1, 7)) == b"one"
    assert bodies.get((1, 8)) is None
    assert bodies.get_many([(1, 8), (1, 7), (2, 7)]) == [None, b"one", None]
    assert (bodies.hits, bodies.misses) == (2, 3)


def test_the_least_recently_used_make_room() -> None:
    bodies = BodyCache(3 * TAKEN)
    for key in range(3):
        bodies.put(key, BODY)
    bodies.get(0)
    bodies.get_many([2, 1])
    bodies.put(3, BODY)
    assert [key for key in range(4) if bodies.get(key)] == [1, 2, 3]
    bodies.put(4, BODY)
    assert [key for key in range(5) if bodies.get(key)] == [2, 3, 4]
    assert (len(bodies), bodies.evictions) == (3, 2)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    bodies = BodyCache(3 * TAKEN)
    bodies.put(1, BODY)
    bodies.put(2, b"x" * 3 * TAKEN)
    assert bodies.get(2) is None
    assert bodies.get(1) == BODY
    nothing = BodyCache(0)
    nothing.put(1, b"")
    assert nothing.get(1) is None
    assert nothing.used_bytes == 0


def test_it_never_takes_more_than_it_may() -> None:
    chance = random.Random(9)
    bodies = BodyCache(20_000)
    kept: dict[int, bytes] = {}
    for _ in range(2_000):
        key = chance.randrange(200)
        kept.setdefault(key, bytes(chance.randrange(3_000)))
        bodies.put(key, kept[key])
        assert bodies.get(key) in (kept[key], None)
        assert bodies.used_bytes <= 20_000
    assert bodies.used_bytes == sum(ENTRY_BYTES + getsizeof(body) for key, body in kept.items() if bodies.get(key))
    assert len(bodies) > 5
