"""Tests of the journeys' checks: a correct journey passes, and each seeded fault is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.journeys.checks import (
    Delivery,
    Published,
    Said,
    check_conversation,
    check_deliveries,
    check_equal,
    check_live,
    log_complaints,
)
from tests.journeys.relations import Relations

READERS = ("ada", "bea", "cem", "dan")
END_S = 100.0
POST = Published("1", "ada", "Hello", sent_at_s=10.0)
TO_BEA = Delivery("1", "bea", "ada", "Hello", at_s=11.0)
TO_CEM = replace(TO_BEA, reader="cem", at_s=12.0)
SAID = [Said(1, "ada", "Hi"), Said(2, "bea", "Hello"), Said(3, "ada", "Bye")]


def relations() -> Relations:
    """Bea and Cem follow Ada."""
    return Relations({("bea", "ada"), ("cem", "ada")}, ())


def complaints(*deliveries: Delivery, among: Relations | None = None) -> list[str]:
    return check_deliveries([POST], deliveries, among or relations(), READERS, END_S).complaints


def test_a_sound_journey_is_counted_and_not_complained_of() -> None:
    report = check_deliveries([POST], [TO_BEA, TO_CEM], relations(), READERS, END_S)
    assert (report.complaints, report.must, report.must_not, report.may) == ([], 2, 2, 0)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ([TO_CEM], "did not come to bea"),
        ([], "did not come to bea"),
        ([TO_BEA, TO_CEM, replace(TO_BEA, at_s=50.0)], "came 2 times to bea"),
        ([TO_BEA, TO_CEM, replace(TO_BEA, reader="dan")], "came to dan, who does not follow"),
        ([TO_BEA, TO_CEM, replace(TO_BEA, reader="ada")], "came to ada, who does not follow"),
        ([TO_BEA, TO_CEM, replace(TO_BEA, post_id="2")], "never accepted"),
        ([TO_BEA, replace(TO_CEM, text="Hullo")], "other content"),
        ([TO_BEA, replace(TO_CEM, author="dan")], "other content"),
    ],
    ids=["dropped", "dropped for all", "doubled", "foreign", "own", "unknown", "changed", "misattributed"],
)
def test_a_fault_of_delivery_is_found(heard: list[Delivery], told: str) -> None:
    found = complaints(*heard)
    assert any(told in complaint for complaint in found), found


@pytest.mark.parametrize(
    ("sent_at_s", "acked_at_s", "with_bea", "without_bea"),
    [
        (1.0, 2.0, False, True),  # unfollowed before the post
        (9.0, 10.5, True, True),  # while it was sent
        (10.5, 10.6, True, True),  # before its first delivery
        (13.0, 14.0, True, False),  # after it
    ],
)
def test_a_change_leaves_open_only_what_it_may(
    sent_at_s: float, acked_at_s: float, with_bea: bool, without_bea: bool
) -> None:
    changed = relations()
    changed.change("unfollow", "bea", "ada", sent_at_s=sent_at_s, acked_at_s=acked_at_s)
    assert (complaints(TO_BEA, TO_CEM, among=changed) == []) is with_bea
    # Without Bea's delivery, Cem's is the first.
    assert (complaints(replace(TO_CEM, at_s=11.0), among=changed) == []) is without_bea


def test_a_block_ends_both_follows_and_their_taking_back_does_not_bring_them_back() -> None:
    known = Relations({("bea", "ada"), ("ada", "bea")}, ())
    known.change("block", "ada", "bea", sent_at_s=1, acked_at_s=2)
    assert known.hears("bea", "ada", 1.5, 1.6) == {True, False}
    assert known.blocked("bea", "ada", 3, 4) == {True} and known.blocks_at_end() == {("ada", "bea")}
    known.change("unblock", "ada", "bea", sent_at_s=5, acked_at_s=6)
    assert known.blocked("bea", "ada", 7, 8) == {False} and known.blocks_at_end() == set()
    assert known.hears("bea", "ada", 7, 8) == known.hears("ada", "bea", 7, 8) == {False}
    known.change("follow", "bea", "ada", sent_at_s=9, acked_at_s=10)
    assert known.hears("bea", "ada", 11, 12) == {True}
    assert known.follows_at_end({"ada", "bea"}) == {("bea", "ada")} and known.follows_at_end({"ada"}) == set()


def test_posts_are_withdrawn_from_who_unfollows_and_from_both_sides_of_a_block() -> None:
    changed = relations()
    changed.change("unfollow", "cem", "ada", sent_at_s=20.0, acked_at_s=21.0)
    changed.change("block", "bea", "dan", sent_at_s=30.0, acked_at_s=31.0)
    assert [reader for reader in READERS if changed.lost_sight(reader, 19.0)] == []
    assert [reader for reader in READERS if changed.lost_sight(reader, 20.0)] == ["cem"]
    assert [reader for reader in READERS if changed.lost_sight(reader, 30.0)] == ["bea", "cem", "dan"]


def test_a_count_that_is_off_by_one_is_found() -> None:
    rows = {"ada": (2, 0, 1), "bea": (0, 1, 0)}
    assert check_equal("counts", dict(rows), rows) == []
    (complaint,) = check_equal("counts", rows | {"bea": (0, 2, 0)}, rows)
    assert "bea" in complaint and "ada" not in complaint
    assert check_equal("counts", {"ada": (2, 0, 1)}, rows) != []


@pytest.mark.parametrize(
    "shown",
    [["3", "1"], ["3", "2", "2", "1"], ["2", "3", "1"], ["4", "3", "2", "1"], ["3", "2"]],
    ids=["skipped", "repeated", "disordered", "foreign", "cut short"],
)
def test_a_list_that_is_not_the_rows_is_found(shown: list[str]) -> None:
    assert check_equal("feed", ["3", "2", "1"], ["3", "2", "1"]) == []
    assert len(check_equal("feed", shown, ["3", "2", "1"])) == 1


def test_a_conversation_reads_the_same_for_all() -> None:
    assert check_conversation("x", SAID, {"ada": list(SAID), "bea": list(SAID)}) == []
    assert len(check_conversation("x", SAID, {"ada": SAID, "bea": SAID[:2]})) == 1
    assert len(check_conversation("x", SAID, {"ada": [SAID[0], SAID[2], SAID[1]]})) == 1
    assert len(check_conversation("x", SAID, {"ada": [*SAID[:2], replace(SAID[2], text="Buy")]})) == 1


def test_a_hole_in_the_numbers_is_found() -> None:
    holed = [SAID[0], SAID[2]]
    assert len(check_conversation("x", holed, {"ada": holed})) == 1


@pytest.mark.parametrize(
    ("heard", "after_seq", "is_sound"),
    [
        ([1, 2, 3], 0, True),
        ([3], 2, True),
        ([2, 3], 0, False),
        ([1, 3], 0, False),
        ([1, 2], 0, False),
        ([1, 3, 2], 0, False),
        ([1, 2, 2, 3], 0, False),
    ],
)
def test_a_message_that_was_missed_doubled_or_out_of_order_is_found(
    heard: list[int], after_seq: int, is_sound: bool
) -> None:
    def never(one: int, other: int) -> bool:
        return False

    assert (check_live("bea", heard, after_seq=after_seq, last_seq=3, were_sent_at_once=never) == []) is is_sound


@pytest.mark.parametrize(("heard", "is_sound"), [([1, 3, 2], True), ([3, 1, 2], False), ([1, 3, 3, 2], False)])
def test_only_messages_that_were_sent_at_once_may_be_heard_in_either_order(heard: list[int], is_sound: bool) -> None:
    def last_two(one: int, other: int) -> bool:
        return {one, other} == {2, 3}

    assert (check_live("bea", heard, after_seq=0, last_seq=3, were_sent_at_once=last_two) == []) is is_sound


def test_a_log_may_hold_information_only() -> None:
    quiet = '{"level":"info","event":"node_started"}\nrookery: ready\n'
    assert log_complaints(quiet) == []
    for line in (
        '{"level":"error","event":"tasks_left_over"}',
        '{"level":"warning","event":"reaction_waits"}',
        "Traceback (most recent call last):",
        '"text"',
    ):
        assert log_complaints(quiet + line) == [line]
        assert log_complaints(quiet + line, with_warnings=False) == ([] if "warning" in line else [line])
