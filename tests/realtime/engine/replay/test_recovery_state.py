"""What a session missed is told wholly or not at all."""

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


def _written(recovery_state: RecoveryState, push: EncodedPush) -> None:
    recovery_state.last = push.push_id


def test_only_what_was_for_the_session_is_told_in_order() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    logs.append("room:1", _push("before"))
    recovery_state.joined("room:1")
    recovery_state.joined("feed:7")
    logs.append("room:1", _push("1"))
    logs.append("room:2", _push("elsewhere"))
    logs.append(family_key("feed"), _push("2"), pack_ids([5, 7]))
    logs.append(family_key("feed"), _push("not mine"), pack_ids([5]))
    logs.append("room:1", _push("other namespace", "/feed"))
    told = recovery_state.push("told", b"1")
    logs.append("room:1", _push("3"))
    _written(recovery_state, _push("3"))
    recovery_state.lost_client()
    assert _ids(recovery_state.missed(None)) == ["1", "2", told.push_id, "3"]
    assert _ids(recovery_state.missed("2")) == [told.push_id, "3"]
    assert _ids(recovery_state.missed("3")) == []


def test_a_room_that_was_left_is_not_told() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    logs.append("room:1", _push("1"))
    _written(recovery_state, _push("1"))
    recovery_state.lost_client()
    logs.append("room:1", _push("2"))
    recovery_state.left("room:1")
    assert _ids(recovery_state.missed("1")) == []


def test_what_is_not_known_is_not_followed_up() -> None:
    logs = _logs()
    first = RecoveryState("earlier", "/chat", logs)
    first.joined("room:1")
    logs.append("room:1", _push("stale"))
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    logs.append("room:1", _push("1"))
    _written(recovery_state, _push("1"))
    assert recovery_state.missed("stale") is None
    assert recovery_state.missed("unheard") is None
    assert recovery_state.missed("") is None


def test_a_gap_forbids_to_go_on_from_before_it() -> None:
    for whole_node in (False, True):
        logs = _logs()
        recovery_state = RecoveryState("p", "/chat", logs)
        recovery_state.joined("room:1")
        recovery_state.joined("feed:7")
        logs.append("room:9", _push("0"))
        logs.append("room:1", _push("1"))
        _written(recovery_state, _push("1"))
        recovery_state.lost_client()
        if whole_node:
            logs.interrupt_families()
        else:
            logs.interrupt("room:1")
        assert recovery_state.missed("1") is None
        # From after it there is nothing missing.
        logs.append("room:1", _push("2"))
        assert _ids(recovery_state.missed("2")) == []


def test_the_gap_of_a_strange_room_is_no_matter() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    logs.append("room:1", _push("1"))
    logs.interrupt("room:2")
    assert _ids(recovery_state.missed(None)) is None or recovery_state.last is None
    _written(recovery_state, _push("1"))
    assert _ids(recovery_state.missed(None)) == ["1"]


def test_a_quiet_client_goes_on_from_what_it_heard_long_ago() -> None:
    """Its last push may have left the logs meanwhile; nothing was for it since."""
    logs = _logs(max_bytes=3_000)
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    logs.append("room:1", _push("1"))
    _written(recovery_state, _push("1"))
    for number in range(20):
        logs.append("room:2", _push(f"other {number}"))
    assert logs.number_of("1") is None
    recovery_state.lost_client()
    logs.append("room:1", _push("2"))
    assert _ids(recovery_state.missed("1")) == ["2"]


def test_who_is_lost_while_it_is_told_goes_on_from_there() -> None:
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    recovery_state.lost_client()
    for number in range(1, 7):
        logs.append("room:1", _push(str(number)))
    part = (recovery_state.missed(None) or [])[:3]
    _written(recovery_state, part[-1])
    recovery_state.told_until(part[-1])
    logs.append("room:1", _push("7"))
    assert _ids(recovery_state.missed("3")) == ["4", "5", "6", "7"]
    assert _ids(recovery_state.missed("2")) == ["3", "4", "5", "6", "7"]


def test_who_missed_more_than_is_kept_gets_nothing() -> None:
    logs = _logs(max_bytes=3_000)
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    logs.append("room:1", _push("0"))
    _written(recovery_state, _push("0"))
    recovery_state.lost_client()
    for number in range(20):
        logs.append("room:1", _push(f"missed {number}"))
    assert recovery_state.missed("0") is None


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_two_nodes_tell_all_once(own: list[bool], left: int, received: int, says_before: bool) -> None:
    """The old node heard the first pushes, the new one overlaps; the client got some of the old one's."""
    received = min(received, left)
    ids = [str(number) for number in range(left + len(own))]
    old, new = _logs(), _logs()
    before = RecoveryState("p", "/chat", old)
    before.joined("room:1")
    for push_id in ids[:left]:
        old.append("room:1", _push(push_id))
        _written(before, _push(push_id))
    offset = ids[received - 1] if received else None
    if offset is None:
        before.last = "something unread" if left else None
    before.lost_client()
    missed = before.missed(offset)
    assert missed is not None
    after = RecoveryState("p", "/chat", new)
    after.joined("room:1")
    if says_before:
        for push_id in ids[max(0, left - 3) : left]:
            new.append("room:1", _push(push_id))
    after.came_with(CarriedPushes(offset, missed, before.told_since(offset)))
    for push_id in ids[left:]:
        new.append("room:1", _push(push_id))
    assert _ids(after.missed(offset)) == ids[received:]
    # What it was told then is not told again.
    for at, push_id in enumerate(ids[received:], received + 1):
        assert _ids(after.missed(push_id)) == ids[at:]


def test_a_trail_can_be_left_to_another_node() -> None:
    old, new = _logs(), _logs()
    recovery_state = RecoveryState("p", "/chat", old)
    recovery_state.joined("room:1")
    recovery_state.found_client()
    for number in range(4):
        old.append("room:1", _push(str(number)))
        _written(recovery_state, _push(str(number)))
    copy = old.restore(old.export(10**6)[0])
    target = RecoveryState("p", "/chat", new)
    target.joined("room:1")
    new.append("room:1", _push("3"))
    target.came_with(RecoveryState.restore("/chat", [copy], recovery_state.export(lambda _: 0)))
    new.append("room:1", _push("4"))
    assert _ids(target.missed("1")) == ["2", "3", "4"]
    assert _ids(target.missed("3")) == ["4"]
    target.came_back("1")
    assert _ids(target.missed("2")) == ["3", "4"]
    assert target.missed("unheard") is None


def _number(numbers: dict[ReplayLogs, int], logs: ReplayLogs) -> int:
    return numbers.setdefault(logs, len(numbers))


@given(st.integers(0, 9), st.sampled_from([0, 2]))
def test_a_trail_goes_from_heir_to_heir(received: int, overlap: int) -> None:
    """Three nodes one after the other heard three pushes each, and the last of the one before."""
    ids = [str(number) for number in range(9)]
    logs = _logs()
    recovery_state = RecoveryState("p", "/chat", logs)
    recovery_state.joined("room:1")
    recovery_state.found_client()
    for node in range(3):
        for push_id in ids[3 * node : 3 * node + 3]:
            logs.append("room:1", _push(push_id))
            if node == 0:
                _written(recovery_state, _push(push_id))
        if node == 2:
            break
        numbers: dict[ReplayLogs, int] = {}
        exported = recovery_state.export(partial(_number, numbers))
        copies = [found.restore(found.export(10**6)[0]) for found in numbers]
        logs = _logs()
        recovery_state = RecoveryState("p", "/chat", logs)
        recovery_state.joined("room:1")
        for push_id in ids[3 * node + 3 - overlap : 3 * node + 3]:
            logs.append("room:1", _push(push_id))
        recovery_state.came_with(RecoveryState.restore("/chat", copies, exported))
    offset = ids[received - 1] if received else None
    assert _ids(recovery_state.missed(offset)) == ids[received:]
    recovery_state.came_back(offset)
    assert _ids(recovery_state.missed(offset)) == ids[received:]
    # What was told before is not told again, however late the new node hears of it.
    late = [push_id for push_id in ids[:received] if received <= 3]
    assert all(recovery_state.told_elsewhere(_push(push_id)) for push_id in late)
