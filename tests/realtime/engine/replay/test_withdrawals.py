"""A push that tells of something withdrawn is told to nobody from whom it was withdrawn."""

from __future__ import annotations

import json

from realtime.contract.packed_ids import pack_ids
from realtime.engine.protocol.encoded_push import EncodedPush, Subjects
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.replay.withdrawals import Withdrawals

KEEP_S = 100.0
ME, OTHER = 7, 8


class Lab:
    def __init__(self, *, max_count: int = 1_000) -> None:
        self.now_s = 0.0
        self.withdrawals = Withdrawals(keep_s=KEEP_S, now_s=lambda: self.now_s, max_count=max_count)

    def push(self, push_id: str, *named: tuple[str, int], scope: str = "feed") -> EncodedPush:
        subjects = Subjects(scope, named, self.withdrawals.generation) if named else None
        return EncodedPush("/feed", "told", b"1", push_id, subjects)

    def replayed(self, *pushes: EncodedPush, user_id: int = ME) -> list[tuple[str, str | None]]:
        """Event, or scope of a `resync`, and id of each push that is replayed."""
        told = self.withdrawals.replace_withdrawn(list(pushes), user_id)
        return [
            (json.loads(push.data)["scope"] if push.event == "resync" else push.event, push.push_id) for push in told
        ]


def test_the_last_withdrawn_push_of_each_scope_becomes_a_resync_with_its_id() -> None:
    lab = Lab()
    lab.withdrawals.withdraw("post:1", None, None)
    pushes = [
        lab.push("a", ("post:1", 1)),
        lab.push("b", ("post:2", 1)),
        lab.push("c", ("post:1", 1), ("user:1", 0)),
        lab.push("d", ("post:1", 1), scope="post:1"),
        lab.push("e"),
    ]
    assert lab.replayed(*pushes) == [("told", "b"), ("feed", "c"), ("post:1", "d"), ("told", "e")]


def test_an_edit_withdraws_older_versions_only() -> None:
    lab = Lab()
    lab.withdrawals.withdraw("post:1", 3, None)
    lab.withdrawals.withdraw("post:1", 2, None)  # an older edit, which arrives late
    pushes = [lab.push(f"{version}", ("post:1", version)) for version in (1, 2, 3, 4)]
    assert lab.replayed(*pushes) == [("feed", "2"), ("told", "3"), ("told", "4")]
    subjects = [push.subjects for push in pushes if push.subjects is not None]
    assert [lab.withdrawals.is_outdated(one) for one in subjects] == [True, True, False, False]


def test_what_is_withdrawn_from_some_is_told_to_others_and_to_them_when_it_is_restored() -> None:
    lab = Lab()
    push = lab.push("a", ("user:1", 0))
    lab.withdrawals.withdraw("user:1", None, [ME, 9])
    assert lab.replayed(push) == [("feed", "a")]
    assert lab.replayed(push, user_id=OTHER) == [("told", "a")]
    lab.withdrawals.restore("user:1", [ME])
    assert lab.replayed(push) == [("told", "a")]
    assert lab.replayed(push, user_id=9) == [("feed", "a")]


def test_older_versions_are_withdrawn_from_some_and_newer_ones_are_told_to_them() -> None:
    lab, there = Lab(), Lab()
    lab.withdrawals.withdraw("words", 5, [ME])
    lab.withdrawals.withdraw("words", 3, [ME])  # an older one, which arrives late
    pushes = [lab.push(f"{version}", ("words", version)) for version in (4, 5)]
    there.withdrawals.include(lab.withdrawals.export())
    for one in (lab, there):
        assert one.replayed(*pushes) == [("feed", "4"), ("told", "5")]
        assert one.replayed(*pushes, user_id=OTHER) == [("told", "4"), ("told", "5")]
        subjects = [push.subjects for push in pushes if push.subjects is not None]
        assert [one.withdrawals.may_include(about) for about in subjects] == [True, False]
        assert [one.withdrawals.is_outdated_for(about, ME) for about in subjects] == [True, False]
        assert not one.withdrawals.is_outdated_for(subjects[0], OTHER)
        assert not one.withdrawals.is_withdrawn("words", ME), "rooms are left when all is withdrawn"


def test_a_push_without_some_users_is_not_replayed_to_them() -> None:
    lab = Lab()
    push = EncodedPush("/feed", "told", b"1", "a", Subjects("post:1", (), 0, pack_ids([OTHER, ME])))
    assert push.subjects is not None and lab.withdrawals.may_include(push.subjects)
    assert lab.replayed(push) == []
    assert lab.replayed(push, user_id=9) == [("told", "a")]


def test_what_was_missed_may_have_withdrawn_anything_told_before() -> None:
    lab = Lab()
    before, plain = lab.push("a", ("post:1", 1)), lab.push("b")
    lab.withdrawals.withdraw_all()
    assert lab.replayed(before, plain, lab.push("c", ("post:1", 1))) == [("feed", "a"), ("told", "b"), ("told", "c")]


def test_it_is_known_as_long_as_logs_keep_pushes_and_no_longer() -> None:
    lab = Lab()
    push = lab.push("a", ("post:1", 1), ("user:1", 0))
    lab.withdrawals.withdraw("post:1", None, None)
    lab.withdrawals.withdraw("user:1", None, [ME, OTHER])
    lab.now_s = KEEP_S / 2
    lab.withdrawals.withdraw("user:1", None, [OTHER])
    lab.now_s = KEEP_S
    lab.withdrawals.withdraw("other:1", None, None)
    assert lab.replayed(push) == [("feed", "a")]
    lab.now_s = KEEP_S + 1
    lab.withdrawals.withdraw("user:1", None, [9])
    assert lab.replayed(push) == [("told", "a")]
    assert lab.replayed(push, user_id=OTHER) == [("feed", "a")]
    assert len(lab.withdrawals) == 4  # other:1, user:1 and its two users


def test_too_many_withdrawals_withdraw_everything_told_before() -> None:
    lab = Lab(max_count=10)
    push = lab.push("a", ("post:100", 1))
    for number in range(11):
        lab.withdrawals.withdraw(f"post:{number}", None, None)
    assert len(lab.withdrawals) == 0
    assert lab.replayed(push) == [("feed", "a")]


def test_logs_and_withdrawals_move_to_another_node() -> None:
    here, there = Lab(), Lab()
    there.withdrawals.withdraw_all()
    source, target = (
        ReplayLogs(keep_s=KEEP_S, max_bytes=10**6, now_s=lambda: 0.0, withdrawals=lab.withdrawals)
        for lab in (here, there)
    )
    source.add_reader()
    source.append("room:1", here.push("unsure", ("post:9", 1)))
    here.withdrawals.withdraw_all()
    for name in ("post:1", "post:2", "user:1"):
        source.append("room:1", here.push(name, (name, 1)))
    here.withdrawals.withdraw("post:1", None, None)
    here.withdrawals.withdraw("post:2", 2, None)
    here.withdrawals.withdraw("user:1", None, [ME])
    there.withdrawals.include(here.withdrawals.export())
    entries = target.restore(source.export(10**6)[0]).entries()
    pushes = [entry.push for entry in entries if entry.push is not None]
    assert there.replayed(*pushes, user_id=OTHER) == [("feed", "post:2"), ("told", "user:1")]
    assert there.replayed(*pushes) == [("feed", "user:1")]
