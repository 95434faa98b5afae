"""Logs hold what was heard, within their bounds, and say where they are not whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.packed_ids import pack_ids
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.replay_log import ENTRY_OVERHEAD_BYTES, ReplayLogs, family_key


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _logs(*, keep_s: float = 100, max_bytes: int = 10**6, clock: _Clock | None = None) -> ReplayLogs:
    logs = ReplayLogs(keep_s=keep_s, max_bytes=max_bytes, now_s=clock or _Clock())
    logs.hold()
    return logs


def _push(push_id: str | None, data: bytes = b"1") -> EncodedPush:
    return EncodedPush("/chat", "said", data, push_id)


def _ids(logs: ReplayLogs, key: str) -> list[str | None]:
    return [entry.push.push_id if entry.push else "gap" for entry in logs.newest_first(key)]


def test_entries_are_numbered_over_all_logs() -> None:
    logs = _logs()
    for number, room in enumerate(("a:1", "b:1", "a:1")):
        assert logs.append(room, _push(str(number)))
    assert [logs.number_of(str(number)) for number in range(3)] == [1, 2, 3]
    assert (_ids(logs, "a:1"), _ids(logs, "b:1")) == (["2", "0"], ["1"])


def test_what_was_heard_before_is_not_heard_again() -> None:
    logs = _logs()
    assert logs.append("a:1", _push("x"))
    assert not logs.append("a:1", _push("x"))
    assert _ids(logs, "a:1") == ["x"]


def test_what_is_never_replayed_is_not_kept() -> None:
    logs = _logs()
    assert logs.append("a:1", _push(None)) and logs.append("a:1", _push(None))
    assert logs.entries() == ()


def test_nothing_is_kept_for_nobody() -> None:
    logs = _logs()
    logs.let_go()
    assert logs.append("a:1", _push("x")) and logs.append("a:1", _push("x"))
    assert logs.size_bytes == 0


def test_what_was_kept_goes_with_the_last_who_may_want_it() -> None:
    logs = _logs()
    logs.hold()
    logs.append("a:1", _push("x"))
    logs.interrupt("b:1")
    logs.let_go()
    assert _ids(logs, "a:1") == ["x"]
    logs.let_go()
    assert (logs.size_bytes, logs.entries(), _ids(logs, "a:1"), logs.number_of("x")) == (0, (), [], None)
    assert logs.evicted == logs.last
    logs.hold()
    assert logs.append("a:1", _push("y")) and logs.number_of("y") == 3


def test_the_number_of_what_was_heard_some_time_before_is_known() -> None:
    clock = _Clock()
    logs = _logs(clock=clock)
    assert logs.number_before(0, 10.0) == 0
    for at_s in (0, 4, 5, 5, 11, 30):
        clock.now_s = at_s
        logs.append("a:1", _push(str(logs.last)))
    # Number 5 was heard at 11 s: 10 s before it, number 1 was over.
    assert [logs.number_before(number, 10.0) for number in (1, 4, 5, 6)] == [0, 0, 1, 5]
    assert logs.number_before(2, 0.0) == 1
    clock.now_s = 104.5
    assert logs.number_of("0") is None and logs.evicted == 2
    assert [logs.number_before(number, 10.0) for number in (1, 3, 6, 99)] == [2, 2, 5, 5]


def test_entries_go_when_they_are_old() -> None:
    clock = _Clock()
    logs = _logs(keep_s=10, clock=clock)
    logs.append("a:1", _push("old"))
    clock.now_s = 9
    logs.append("a:1", _push("new"))
    clock.now_s = 11
    assert (logs.number_of("old"), logs.number_of("new"), logs.evicted) == (None, 2, 1)
    assert _ids(logs, "a:1") == ["new"]


def test_the_oldest_go_when_they_are_too_many() -> None:
    logs = _logs(max_bytes=3 * (ENTRY_OVERHEAD_BYTES + 3))
    for number in range(5):
        logs.append(f"a:{number}", _push(str(number)))
    assert logs.evicted == 2 and len(logs.entries()) == 3
    assert [logs.number_of(str(number)) for number in range(5)] == [None, None, 3, 4, 5]


def test_a_gap_empties_a_log_and_stays_in_it() -> None:
    logs = _logs()
    logs.append("a:1", _push("x"))
    logs.append("b:1", _push("y"))
    logs.interrupt("a:1")
    logs.append("a:1", _push("z"))
    assert (_ids(logs, "a:1"), _ids(logs, "b:1")) == (["z", "gap"], ["y"])
    assert logs.number_of("x") is None


def test_a_gap_of_this_node_concerns_all_families() -> None:
    logs = _logs()
    logs.append(family_key("feed"), _push("x"), pack_ids([1]))
    logs.append("a:1", _push("y"))
    logs.interrupt_families()
    assert _ids(logs, family_key("feed")) == ["gap"]
    assert _ids(logs, family_key("*")) == ["gap"]
    assert _ids(logs, "a:1") == ["y"]


def test_a_copy_goes_on_where_it_was() -> None:
    logs = _logs()
    for number in range(4):
        logs.append("a:1", _push(str(number)))
    logs.append("b:1", _push("4"), pack_ids([7]))
    logs.interrupt("a:2")
    exported, size_bytes = logs.export(10**6)
    copy = logs.restore(exported)
    assert [entry.number for entry in copy.entries()] == [1, 2, 3, 4, 5, 6]
    assert (copy.size_bytes, copy.last, copy.entries()[4].people) == (size_bytes, 6, pack_ids([7]))
    max_bytes = sum(entry.size_bytes for entry in logs.entries()[3:]) + 1
    exported, part_bytes = logs.export(max_bytes)
    copy = logs.restore(exported)
    assert copy.size_bytes == part_bytes == max_bytes - 1
    assert (copy.number_of("3"), copy.number_of("1"), copy.evicted, copy.last) == (4, None, 3, 6)


def test_a_copy_of_nothing_knows_that_it_holds_nothing() -> None:
    logs = _logs()
    logs.append("a:1", _push("1"))
    copy = logs.restore(logs.export(0)[0])
    assert (copy.evicted, copy.last, copy.number_of("1")) == (1, 1, None)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.booleans()), max_size=60))
def test_the_count_of_bytes_is_that_of_what_is_kept(steps: list[tuple[str, int, bool]]) -> None:
    logs = _logs(max_bytes=8_000)
    for number, (room, size_bytes, is_gap) in enumerate(steps):
        if is_gap:
            logs.interrupt(room)
        else:
            logs.append(room, _push(str(number), b"x" * size_bytes))
        assert logs.size_bytes == sum(entry.size_bytes for entry in logs.entries()) <= 8_000
