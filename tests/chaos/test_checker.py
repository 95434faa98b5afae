"""Tests of the chaos suite's checker: a correct run passes, and it finds and names each seeded fault."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import pytest

from tests.chaos.checker import Complaint, Fault, Truth, check
from tests.chaos.history import (
    POSTS,
    Acked,
    Connected,
    Event,
    Heard,
    History,
    Item,
    Lost,
    Read,
    Refused,
    Sent,
    Told,
    conversation_room,
    feed_room,
)

TALK = conversation_room("7")
ADA, BEA, CEM = "ada", "bea", "cem"


@dataclass
class Run:
    """Ada and Bea write to each other, each on two devices; Cem follows Ada and receives her posts."""

    histories: dict[str, History]
    rows: dict[str, dict[int, tuple[str, str]]]
    audience: dict[str, set[str]]

    def complaints(self, *, at_most_once: bool = True) -> list[Complaint]:
        return check(list(self.histories.values()), Truth(self.rows, self.audience), at_most_once=at_most_once)

    def events(self, client: str) -> list[Event]:
        return self.histories[client].events


def said(seq: int, author: str) -> Item:
    return Item(TALK, seq, author, f"{author}-{seq} says")


def post(id: int, room: str = POSTS) -> Item:
    return Item(room, id, ADA, f"{ADA}-post-{id}")


MESSAGES = [said(1, ADA), said(2, BEA), said(3, ADA), said(4, BEA)]


def sound_run() -> Run:
    """Each second device is disconnected after the first message, reads what it missed, and receives the rest."""
    histories: dict[str, History] = {}
    for user_id in (ADA, BEA):
        whole, broken = History(f"{user_id}/1", user_id), History(f"{user_id}/2", user_id)
        whole.events += [Connected(0.0, 1, "a"), Read(0.1, "chat", ())]
        broken.events += [Connected(0.0, 1, "b"), Read(0.1, "chat", ())]
        for message in MESSAGES:
            if message.author == user_id:
                whole.events += [Sent(float(message.id), TALK, message.text)]
                whole.events += [Acked(message.id + 0.1, message.text, message)]
            whole.events.append(Heard(message.id + 0.2, 1, message))
        broken.events += [Heard(1.2, 1, MESSAGES[0]), Lost(1.5, 1, "killed"), Connected(2.5, 2, "a")]
        broken.events += [Read(2.6, "chat", (MESSAGES[1],)), *(Heard(m.id + 0.2, 2, m) for m in MESSAGES[2:])]
        histories |= {whole.client: whole, broken.client: broken}
    histories["ada/1"].events += [Sent(5.0, POSTS, post(50).text), Acked(5.1, post(50).text, post(50))]
    cem = History("cem/1", CEM)
    cem.events += [
        Connected(0.0, 1, "a"),
        Read(0.1, "feed", (post(40, feed_room(CEM)),)),
        Heard(5.2, 1, post(50, feed_room(CEM))),
    ]
    histories[cem.client] = cem
    # Posts from before this run, two with the same text, which a client need not have received.
    posts = {id: (ADA, post(id).text) for id in (30, 40, 50)} | {29: (ADA, post(30).text)}
    return Run(
        histories=histories,
        rows={TALK: {m.id: (m.author, m.text) for m in MESSAGES}, POSTS: posts, feed_room(CEM): dict(posts)},
        audience={TALK: {ADA, BEA}, feed_room(CEM): {CEM}},
    )


def test_a_sound_run_is_not_complained_of() -> None:
    assert sound_run().complaints() == []


def test_an_ack_that_was_lost_and_came_with_the_next_try_is_sound() -> None:
    run = sound_run()
    run.events("ada/1").append(Acked(9.0, MESSAGES[0].text, MESSAGES[0]))
    assert run.complaints() == []


def test_what_was_read_and_then_heard_is_applied_once() -> None:
    run = sound_run()
    run.events("bea/2").append(Read(9.0, "chat", tuple(MESSAGES)))
    assert run.complaints() == []


def test_a_push_out_of_the_numbers_order_is_sound_where_all_hear_it_so() -> None:
    run = sound_run()
    for client in ("ada/1", "ada/2", "bea/1", "bea/2"):
        swap_heard(run, client, MESSAGES[2], MESSAGES[3])
    assert run.complaints() == []


def swap_heard(run: Run, client: str, one: Item, other: Item) -> None:
    swapped = {one: other, other: one}
    for place, event in enumerate(run.events(client)):
        if isinstance(event, Heard):
            run.events(client)[place] = event._replace(item=swapped.get(event.item, event.item))


def forget_heard(run: Run, client: str, item: Item) -> None:
    events = run.events(client)
    events[:] = [event for event in events if not (isinstance(event, Heard) and event.item == item)]


def lose_an_acked_message(run: Run) -> None:
    del run.rows[TALK][4]
    for history in run.histories.values():
        forget_heard(run, history.client, MESSAGES[3])


def lose_an_acked_post(run: Run) -> None:
    del run.rows[POSTS][50]


def store_another_text(run: Run) -> None:
    run.rows[TALK][1] = (ADA, "something else")


def store_twice(run: Run) -> None:
    run.rows[TALK][5] = run.rows[TALK][4]
    for client in ("ada/1", "ada/2", "bea/1", "bea/2"):
        run.events(client).append(Read(9.0, "chat", (MESSAGES[3]._replace(id=5),)))


def store_a_post_twice(run: Run) -> None:
    run.rows[POSTS][51] = run.rows[POSTS][50]


def ack_as_two_items(run: Run) -> None:
    run.events("ada/1").append(Acked(9.0, MESSAGES[0].text, MESSAGES[0]._replace(id=2)))


def ack_into_another_room(run: Run) -> None:
    run.rows[conversation_room("8")] = {1: (BEA, MESSAGES[1].text)}
    del run.rows[TALK][2]
    events = run.events("bea/1")
    place = next(at for at, event in enumerate(events) if isinstance(event, Acked))
    events[place] = Acked(2.1, MESSAGES[1].text, Item(conversation_room("8"), 1, BEA, MESSAGES[1].text))


def hear_twice(run: Run) -> None:
    run.events("bea/1").append(Heard(9.0, 1, MESSAGES[3]))


def hear_in_another_order(run: Run) -> None:
    swap_heard(run, "bea/2", MESSAGES[2], MESSAGES[3])


def hear_in_a_circle(run: Run) -> None:
    """Each pair of orders agrees, but all together do not."""
    for client, heard in (("ada/1", (2, 3)), ("bea/1", (3, 4)), ("bea/2", (4, 2)), ("ada/2", ())):
        for message in MESSAGES:
            forget_heard(run, client, message)
        run.events(client).append(Read(9.0, "chat", tuple(MESSAGES)))
        run.events(client).extend(Heard(9.1, 3, MESSAGES[seq - 1]) for seq in heard)


def hear_other_content(run: Run) -> None:
    run.events("bea/2").append(Heard(9.0, 2, MESSAGES[3]._replace(text="not what was said")))


def hear_what_was_never_stored(run: Run) -> None:
    run.events("bea/1").append(Heard(9.0, 1, said(9, ADA)))


def hear_what_is_not_theirs(run: Run) -> None:
    run.events("cem/1").append(Heard(9.0, 1, MESSAGES[0]))


def read_other_content(run: Run) -> None:
    run.events("cem/1").append(Read(9.0, "feed", (post(50, feed_room(CEM))._replace(text="not the post"),)))


def keep_a_message_from_one(run: Run) -> None:
    forget_heard(run, "bea/2", MESSAGES[3])


def keep_a_post_from_one(run: Run) -> None:
    forget_heard(run, "cem/1", post(50, feed_room(CEM)))


def tell_and_not_read(run: Run) -> None:
    forget_heard(run, "bea/2", MESSAGES[3])
    run.events("bea/2").append(Told(9.0, "all"))


def leave_a_hole(run: Run) -> None:
    run.rows[TALK][6] = (BEA, "after a hole")
    for client in ("ada/1", "ada/2", "bea/1", "bea/2"):
        run.events(client).append(Read(9.0, "chat", (Item(TALK, 6, BEA, "after a hole"),)))


def never_answer(run: Run) -> None:
    run.events("ada/1").append(Sent(9.0, TALK, "ada-9 says"))


def refuse(run: Run) -> None:
    run.events("ada/1").extend([Sent(9.0, TALK, "ada-9 says"), Refused(9.1, "ada-9 says", "internal")])


@pytest.mark.parametrize(
    ("seed", "faults", "told"),
    [
        (lose_an_acked_message, {Fault.LOST, Fault.DIVERGED}, "was acked to bea/1, and is not stored"),
        (lose_an_acked_post, {Fault.LOST, Fault.DIVERGED}, "was acked to ada/1, and is not stored"),
        (store_another_text, {Fault.LOST, Fault.DIVERGED}, "stored is ('ada', 'something else')"),
        (store_twice, {Fault.DOUBLED}, "is stored 2 times"),
        (store_a_post_twice, {Fault.DOUBLED}, "is stored 2 times"),
        (ack_as_two_items, {Fault.DOUBLED, Fault.LOST, Fault.DIVERGED}, "and as"),
        (ack_into_another_room, {Fault.DIVERGED, Fault.MISNUMBERED}, "into conversation:7 was acked as"),
        (hear_twice, {Fault.DOUBLED}, "2 times on connection 1"),
        (hear_in_another_order, {Fault.REORDERED}, "'bea/2 on connection 2': [4, 3]"),
        (hear_in_a_circle, {Fault.REORDERED}, "more than one order"),
        (hear_other_content, {Fault.DIVERGED}, "stored is ('bea', 'bea-4 says')"),
        (hear_what_was_never_stored, {Fault.DIVERGED}, "stored is None"),
        (hear_what_is_not_theirs, {Fault.DIVERGED}, "of a room that is not theirs"),
        (read_other_content, {Fault.DIVERGED}, "not the post"),
        (keep_a_message_from_one, {Fault.LACKING}, "bea/2 lacks [4] of 4 in conversation:7, and was told nothing"),
        (keep_a_post_from_one, {Fault.LACKING}, "cem/1 lacks [50] of 4 in feed:cem, and was told nothing"),
        (tell_and_not_read, {Fault.LACKING}, "and has not read on since it was told to"),
        (leave_a_hole, {Fault.MISNUMBERED}, "has the numbers [1, 2, 3, 4, 6]"),
        (never_answer, {Fault.UNANSWERED}, "answered with nothing"),
        (refuse, {Fault.UNANSWERED}, "answered with internal"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_seeded_fault_is_found(seed: Callable[[Run], None], faults: set[Fault], told: str) -> None:
    run = deepcopy(sound_run())
    seed(run)
    complaints = run.complaints()
    assert {complaint.fault for complaint in complaints} == faults, complaints
    assert any(told in complaint.what for complaint in complaints), complaints


def test_doubled_pushes_are_left_open_where_redis_may_have_hung() -> None:
    run = sound_run()
    hear_twice(run)
    assert run.complaints(at_most_once=False) == []
