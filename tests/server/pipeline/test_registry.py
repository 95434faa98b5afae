"""Features are found by name; contradictions between them fail at start."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from handlers.context import Call, Context, Outcome, Reaction
from handlers.feature import Consumer, Feature, bind_command, bind_plain_command, on_each
from handlers.people.feature import FEATURE as PEOPLE
from realtime.contract.declarations import Fact, Push, Unit
from realtime.contract.wire import NOTHING, Empty, Nothing
from server.features import FEATURES
from server.pipeline.registry import Registry
from sql.database import Database
from sql.ids import UserId
from tests.kit.odd_feature import HAPPENED, NAMESPACE, NOTED, TELL, Note, OddFeature
from tests.server.echo_feature import ECHO

ODD = OddFeature().feature()


async def ignore(ctx: Context, note: Note) -> Reaction:
    return Reaction()


async def answer(call: Call, cmd: Empty) -> Outcome[Nothing]:
    return Outcome(NOTHING)


def test_commands_are_found_in_their_namespace_only() -> None:
    registry = Registry([ODD, ECHO])
    found = registry.find(NAMESPACE, TELL.name)
    assert found is not None and found.command is TELL
    assert registry.find("/echo", TELL.name) is None
    assert registry.find(NAMESPACE, "no:such") is None
    assert len(list(registry.commands())) == len(ODD.commands) + len(ECHO.commands)


def test_few_commands_are_found_everywhere() -> None:
    registry = Registry([*FEATURES, ECHO])
    renew = registry.find("/auth", "auth:renew")
    assert renew is not None
    assert registry.find("/echo", "auth:renew") is renew
    assert registry.find("/echo", "auth:login") is None


def test_namespaces_are_those_of_commands_and_of_pushes() -> None:
    push = Push(name="other:said", namespace="/other", model=Note, audience="Nobody.")
    registry = Registry([ODD, ECHO, Feature(name="other", commands=(), pushes=(push,))])
    assert registry.namespaces == ("/echo", NAMESPACE, "/other")
    assert registry.pushes == {NOTED.name: NOTED, push.name: push}


def test_features_declare_what_long_polling_clients_get() -> None:
    registry = Registry([*FEATURES, ECHO])
    assert (registry.polled_topics("/feed"), registry.polled_topics("/chat")) == (("feed",), ())
    assert registry.connection_pushes == {"token:expiring", "session:revoked"}


def test_entry_rooms_come_in_the_order_of_the_features() -> None:
    async def first(db: Database, user_ids: Sequence[UserId]) -> Mapping[UserId, list[str]]:
        return {}

    async def second(db: Database, user_ids: Sequence[UserId]) -> Mapping[UserId, list[str]]:
        return {}

    registry = Registry(
        [
            Feature(name="a", commands=(), entry_rooms={"/x": first}),
            Feature(name="b", commands=(), entry_rooms={"/x": second}),
        ]
    )
    assert registry.entry_rooms("/x") == [first, second]
    assert registry.entry_rooms("/y") == []


@pytest.mark.parametrize(
    ("features", "complaint"),
    [
        ([ODD, ODD], "odd:crash is declared twice on /odd"),
        (
            [ODD, Feature(name="other", commands=(), facts=(Fact(name=HAPPENED.name, model=Note, key="user_id"),))],
            "odd.happened is declared twice",
        ),
        ([ODD, Feature(name="other", commands=(), pushes=(NOTED,))], "odd:noted is declared twice"),
        ([PEOPLE, Feature(name="other", commands=(), collections=PEOPLE.collections)], "me is declared twice"),
        (
            [ODD, Feature(name="other", commands=(), consumers=(Consumer("odd_reader", ()),))],
            "two consumers have one name",
        ),
        (
            [dataclasses.replace(ODD, facts=())],
            "odd_reader reacts to odd.happened, which no feature declares",
        ),
        (
            [
                ODD,
                Feature(
                    name="other",
                    commands=(),
                    consumers=(
                        Consumer("other", (on_each(Fact(name="odd.happened", model=Note, key="user_id"), ignore),)),
                    ),
                ),
            ],
            "other reacts to odd.happened, which no feature declares",
        ),
        (
            [Feature(name="other", commands=(bind_plain_command(TELL, answer),))],
            "odd:tell declares Unit.TRANSACTION and is bound otherwise",
        ),
        (
            [Feature(name="other", commands=(bind_command(dataclasses.replace(TELL, works_on=Unit.NONE), answer),))],
            "odd:tell declares Unit.NONE and is bound otherwise",
        ),
    ],
)
def test_a_contradiction_fails_at_start(features: list[Feature], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Registry(features)
