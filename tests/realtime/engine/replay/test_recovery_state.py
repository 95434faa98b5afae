"""A session is sent all that it missed, or nothing."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.packed_ids import pack_ids
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.recovery_state import CarriedPushes, RecoveryState
from realtime.engine.replay.replay_log import ReplayLogs, family_key


def _logs(max_bytes: int = 10**6) -> ReplayLogs:
    return ReplayLogs(keep_s=100, max_bytes=max_bytes, now_s=lambda: 0.0)


def _push(push_id: str, namespace: str = "/chat") -> EncodedPush:
    return EncodedPush(namespace, "said", b"1", push_id)


def _ids(pushes: list[EncodedPush] | None) -> list[str | None] | None:
    return None if pushes is None else [push.push_id for push in pushes]


def _sent(recovery_state: RecoveryState, push: EncodedPush) -> None:
    recovery_state.last_sent = push.push_id


def test_only_pushes_to_the_session_are_replayed_in_order() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    logs.append("room:1", _push("before"))
    recovery_state.join("room:1")
    recovery_state.join("feed:7")
    logs.append("room:1", _push("1"))
    logs.append("room:2", _push("elsewhere"))
    logs.append(family_key("feed"), _push("2"), pack_ids([5, 7]))
    logs.append(family_key("feed"), _push("not mine"), pack_ids([5]))
    logs.append("room:1", _push("other namespace", "/feed"))
    own = recovery_state.log_push("said", b"1")
    logs.append("room:1", _push("3"))
    _sent(recovery_state, _push("3"))
    recovery_state.mark_away()
    assert _ids(recovery_state.missed(None)) == ["1", "2", own.push_id, "3"]
    assert _ids(recovery_state.missed("2")) == [own.push_id, "3"]
    assert _ids(recovery_state.missed("3")) == []


def test_a_room_that_was_left_is_not_replayed() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    logs.append("room:1", _push("1"))
    _sent(recovery_state, _push("1"))
    recovery_state.mark_away()
    logs.append("room:1", _push("2"))
    recovery_state.leave("room:1")
    assert _ids(recovery_state.missed("1")) == []


def test_an_unknown_offset_is_not_resumed_from() -> None:
    logs = _logs()
    first = RecoveryState("earlier", "/chat", logs)
    first.join("room:1")
    logs.append("room:1", _push("stale"))
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    logs.append("room:1", _push("1"))
    _sent(recovery_state, _push("1"))
    assert recovery_state.missed("stale") is None
    assert recovery_state.missed("unheard") is None
    assert recovery_state.missed("") is None


def test_no_session_resumes_from_before_a_gap() -> None:
    for whole_node in (False, True):
        logs = _logs()
        recovery_state = RecoveryState("p", "/chat", logs)
        recovery_state.join("room:1")
        recovery_state.join("feed:7")
        logs.append("room:9", _push("0"))
        logs.append("room:1", _push("1"))
        _sent(recovery_state, _push("1"))
        recovery_state.mark_away()
        if whole_node:
            logs.interrupt_families()
        else:
            logs.interrupt("room:1")
        assert recovery_state.missed("1") is None
        # From after it there is nothing missing.
        logs.append("room:1", _push("2"))
        assert _ids(recovery_state.missed("2")) == []


def test_a_gap_in_another_room_does_not_matter() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    logs.append("room:1", _push("1"))
    logs.interrupt("room:2")
    assert _ids(recovery_state.missed(None)) is None or recovery_state.last_sent is None
    _sent(recovery_state, _push("1"))
    assert _ids(recovery_state.missed(None)) == ["1"]


def test_a_quiet_client_resumes_from_an_old_push() -> None:
    """Its last push may be evicted meanwhile; there was none for it since."""
    logs = _logs(max_bytes=3_000)
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    logs.append("room:1", _push("1"))
    _sent(recovery_state, _push("1"))
    for number in range(20):
        logs.append("room:2", _push(f"other {number}"))
    assert logs.number_of("1") is None
    recovery_state.mark_away()
    logs.append("room:1", _push("2"))
    assert _ids(recovery_state.missed("1")) == ["2"]


def test_a_client_that_is_lost_while_it_catches_up_resumes_from_there() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    recovery_state.mark_away()
    for number in range(1, 7):
        logs.append("room:1", _push(str(number)))
    part = (recovery_state.missed(None) or [])[:3]
    _sent(recovery_state, part[-1])
    recovery_state.mark_sent_until(part[-1])
    logs.append("room:1", _push("7"))
    assert _ids(recovery_state.missed("3")) == ["4", "5", "6", "7"]
    assert _ids(recovery_state.missed("2")) == ["3", "4", "5", "6", "7"]


def test_a_client_that_missed_more_than_is_kept_gets_nothing() -> None:
    logs = _logs(max_bytes=3_000)
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    logs.append("room:1", _push("0"))
    _sent(recovery_state, _push("0"))
    recovery_state.mark_away()
    for number in range(20):
        logs.append("room:1", _push(f"missed {number}"))
    assert recovery_state.missed("0") is None


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_two_nodes_send_each_push_once(own: list[bool], left: int, received: int, overlaps: bool) -> None:
    """The old node received the first pushes, the new one some of them too; the client got some of the old one's."""
    received = min(received, left)
    ids = [str(number) for number in range(left + len(own))]
    old, new = _logs(), _logs()
    before = RecoveryState("p", "/chat", old)
    before.join("room:1")
    for push_id in ids[:left]:
        old.append("room:1", _push(push_id))
        _sent(before, _push(push_id))
    offset = ids[received - 1] if received else None
    if offset is None:
        before.last_sent = "something unread" if left else None
    before.mark_away()
    missed = before.missed(offset)
    assert missed is not None
    after = RecoveryState("p", "/chat", new)
    after.join("room:1")
    if overlaps:
        for push_id in ids[max(0, left - 3) : left]:
            new.append("room:1", _push(push_id))
    after.continue_from(CarriedPushes(offset, missed, before.recently_sent(offset)))
    for push_id in ids[left:]:
        new.append("room:1", _push(push_id))
    assert _ids(after.missed(offset)) == ids[received:]
    # What it was sent then is not sent again.
    for at, push_id in enumerate(ids[received:], received + 1):
        assert _ids(after.missed(push_id)) == ids[at:]


def test_a_recovery_state_can_be_handed_to_another_node() -> None:
    old, new = _logs(), _logs()
    recovery_state = RecoveryState("p", "/chat", old)
    recovery_state.join("room:1")
    recovery_state.mark_caught_up()
    for number in range(4):
        old.append("room:1", _push(str(number)))
        _sent(recovery_state, _push(str(number)))
    copy = old.restore(old.export(10**6)[0])
    target = RecoveryState("p", "/chat", new)
    target.join("room:1")
    new.append("room:1", _push("3"))
    target.continue_from(RecoveryState.restore("/chat", [copy], recovery_state.export(lambda _: 0)))
    new.append("room:1", _push("4"))
    assert _ids(target.missed("1")) == ["2", "3", "4"]
    assert _ids(target.missed("3")) == ["4"]
    target.trim_earlier("1")
    assert _ids(target.missed("2")) == ["3", "4"]
    assert target.missed("unheard") is None


def _number(numbers: dict[ReplayLogs, int], logs: ReplayLogs) -> int:
    return numbers.setdefault(logs, len(numbers))


@given(st.integers(0, 9), st.sampled_from([0, 2]))
def test_a_recovery_state_goes_from_node_to_node(received: int, overlap: int) -> None:
    """Three nodes one after the other received three pushes each, and the last of the node before."""
    ids = [str(number) for number in range(9)]
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.join("room:1")
    recovery_state.mark_caught_up()
    for node in range(3):
        for push_id in ids[3 * node : 3 * node + 3]:
            logs.append("room:1", _push(push_id))
            if node == 0:
                _sent(recovery_state, _push(push_id))
        if node == 2:
            break
        numbers: dict[ReplayLogs, int] = {}
        exported = recovery_state.export(partial(_number, numbers))
        copies = [found.restore(found.export(10**6)[0]) for found in numbers]
        logs = _logs()
        recovery_state = RecoveryState("p", "/chat", logs)
        recovery_state.join("room:1")
        for push_id in ids[3 * node + 3 - overlap : 3 * node + 3]:
            logs.append("room:1", _push(push_id))
        recovery_state.continue_from(RecoveryState.restore("/chat", copies, exported))
    offset = ids[received - 1] if received else None
    assert _ids(recovery_state.missed(offset)) == ids[received:]
    recovery_state.trim_earlier(offset)
    assert _ids(recovery_state.missed(offset)) == ids[received:]
    # What was sent before is not sent again, however late the new node receives it.
    late = [push_id for push_id in ids[:received] if received <= 3]
    assert all(recovery_state.is_duplicate(_push(push_id)) for push_id in late)
