"""A feature that does what real features must never do, to test how the pipeline handles it."""

from __future__ import annotations

from handlers.context import Context, Outcome, RaisedFact, Reaction
from handlers.feature import Consumer, Feature, bind_command, on_each
from realtime.contract.declarations import Command, Fact, Push, Repeat, Route
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.errors import CONFLICT, FORBIDDEN, CommandError
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import NOTHING, Empty, Model, Nothing, Payload, WireId
from realtime.pubsub.room_names import person_room
from sql.errors import Retry, Unavailable

NAMESPACE = "/odd"
RATE = RateLimit(1000, 60)


class Note(Model):
    user_id: WireId


class Times(Payload):
    times: int


NOTED = Push(name="odd:noted", namespace=NAMESPACE, model=Note, audience="The caller's devices.")
HAPPENED = Fact(name="odd.happened", model=Note, key="user_id")
POISON = Fact(name="odd.poison", model=Note, key="user_id")


def _command(name: str) -> Command[Empty, Nothing]:
    return Command(
        name=name,
        namespace=NAMESPACE,
        payload=Empty,
        ack=Nothing,
        effect="Something odd.",
        repeat=Repeat.ACTS,
        rate=RATE,
        errors=(CONFLICT,),
        routes=(Route("POST", f"/{name.replace(':', '/')}"),),
    )


CRASH = _command("odd:crash")
TELL = _command("odd:tell")
TELL_AND_REFUSE = _command("odd:refuse")
UNDECLARED = _command("odd:undeclared")
AWAY = _command("odd:away")
POISONED = _command("odd:poison")
CONTEND = Command(
    name="odd:contend",
    namespace=NAMESPACE,
    payload=Times,
    ack=Nothing,
    effect="Loses against others so many times.",
    repeat=Repeat.ACTS,
    rate=RATE,
    example={"times": 1},
)


class OddFeature:
    """The feature's operations and consumers; counts what they were called with."""

    def __init__(self) -> None:
        self.reactions: list[int] = []
        self.poisoned = 0
        self.contended = 0

    async def _crash(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        raise ZeroDivisionError("a defect")

    async def _undeclared(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        raise CommandError(FORBIDDEN)

    async def _away(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        raise Unavailable("the database left")

    async def _contend(self, ctx: Context, cmd: Times) -> Outcome[Nothing]:
        self.contended += 1
        if self.contended <= cmd.times:
            raise Retry("lost")
        return Outcome(NOTHING)

    async def _tell(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        note = Note(user_id=ctx.user_id)
        return Outcome(
            NOTHING,
            pushes=(emission(NOTED, note, ToRoom(person_room(ctx.user_id))),),
            facts=(RaisedFact(HAPPENED, note),),
        )

    async def _refuse(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        await ctx.db.facts.insert_facts(names=[HAPPENED.name], payloads=['{"user_id": "1"}'], keys=[1])
        raise CommandError(CONFLICT)

    async def _poison(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        return Outcome(NOTHING, facts=(RaisedFact(POISON, Note(user_id=ctx.user_id)),))

    async def _react(self, ctx: Context, note: Note) -> Reaction:
        self.reactions.append(note.user_id)
        return Reaction(pushes=(emission(NOTED, note, ToRoom(person_room(note.user_id))),))

    async def _choke(self, ctx: Context, note: Note) -> Reaction:
        self.poisoned += 1
        raise ZeroDivisionError("a defect in a consumer")

    def feature(self) -> Feature:
        return Feature(
            name="odd",
            commands=(
                bind_command(CRASH, self._crash),
                bind_command(TELL, self._tell),
                bind_command(TELL_AND_REFUSE, self._refuse),
                bind_command(UNDECLARED, self._undeclared),
                bind_command(AWAY, self._away),
                bind_command(CONTEND, self._contend),
                bind_command(POISONED, self._poison),
            ),
            pushes=(NOTED,),
            facts=(HAPPENED, POISON),
            consumers=(
                Consumer("odd_reader", (on_each(HAPPENED, self._react), on_each(POISON, self._react))),
                Consumer("odd_choker", (on_each(POISON, self._choke),)),
            ),
        )
