"""A committed command is answered `ok`, even when its pushes cannot be published."""

from __future__ import annotations

from handlers.context import Context, Outcome
from handlers.feature import Feature, bind_command
from realtime.contract.declarations import Command, Push, Repeat, Route
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import NOTHING, Empty, Model, Nothing
from realtime.pubsub.room_names import person_room
from server.features import FEATURES
from tests.kit.server import running_server, settings_for_tests


class Text(Model):
    text: str


TOO_MUCH = Push(name="much:said", namespace="/much", model=Text, audience="The caller's devices.")
SAY = Command(
    name="much:say",
    namespace="/much",
    payload=Empty,
    ack=Nothing,
    effect="Renames the caller and says more than nodes can tell each other.",
    repeat=Repeat.ACTS,
    rate=RateLimit(1_000, 60),
    routes=(Route("POST", "/much"),),
)


async def _say(ctx: Context, cmd: Empty) -> Outcome[Nothing]:
    await ctx.db.people.update_profile(
        user_id=ctx.user_id, display_name="Committed", bio=None, profile=None, settings=None
    )
    to = ToRoom(person_room(ctx.user_id))
    return Outcome(NOTHING, pushes=(emission(TOO_MUCH, Text(text="x" * 100_000), to),))


async def test_a_failed_publish_does_not_fail_the_command(database_url: str, redis_url: str) -> None:
    feature = Feature(name="much", commands=(bind_command(SAY, _say),), pushes=(TOO_MUCH,))
    async with running_server(settings_for_tests(database_url, redis_url), features=(*FEATURES, feature)) as server:
        me = await server.person("talker")
        assert await me.rest("POST", "/much", {}) == (200, {"ok": True, "data": {}})
        assert (await me.rest("GET", "/users/me"))[1]["data"]["user"]["display_name"] == "Committed"
