"""What the pipeline knows of a command before anybody calls it."""

from __future__ import annotations

import pytest

from realtime.contract.declarations import Access
from realtime.contract.errors import CONFLICT, FORBIDDEN, INVALID_PAYLOAD, TOKEN_EXPIRED
from server.features import FEATURES
from server.monitoring.command_tallies import CommandTallies
from server.pipeline.command_table import UNKNOWN_COMMAND_RATE, CommandTable, KnownCommand
from server.pipeline.registry import Registry
from tests.kit.odd_feature import NAMESPACE, RATE, TELL, OddFeature

REGISTRY = Registry([*FEATURES, OddFeature().feature()])
TALLIES = CommandTallies()


def table(*, rate_limit_factor: float = 1) -> CommandTable:
    return CommandTable(REGISTRY, TALLIES, rate_limit_factor=rate_limit_factor)


def test_every_command_is_found_where_the_registry_finds_it() -> None:
    commands = table()
    for bound in REGISTRY.commands():
        for namespace in REGISTRY.namespaces:
            found = commands.find(namespace, bound.command.name)
            known = REGISTRY.find(namespace, bound.command.name)
            assert (found.bound if isinstance(found, KnownCommand) else None) is known


def test_an_unknown_command_is_only_limited_and_counted() -> None:
    unknown = table().find(NAMESPACE, "no:such")
    assert not isinstance(unknown, KnownCommand)
    assert (unknown.name, unknown.rate.count) == ("unknown", UNKNOWN_COMMAND_RATE.count)
    assert unknown.tally is TALLIES.of("unknown")


@pytest.mark.parametrize(("factor", "count"), [(1, RATE.count), (2.5, RATE.count * 5 // 2), (1e-9, 1)])
def test_limits_are_multiplied_and_never_nothing(factor: float, count: int) -> None:
    found = table(rate_limit_factor=factor).find(NAMESPACE, TELL.name)
    assert (found.rate.count, found.rate.per_s) == (count, RATE.per_s)


def test_commands_for_anonymous_callers_are_limited_by_address() -> None:
    for bound in REGISTRY.commands():
        found = table().find(bound.command.namespace, bound.command.name)
        assert isinstance(found, KnownCommand)
        assert found.by_address is not found.for_persons
        assert found.by_address is (bound.command.access is Access.ANYONE)


def test_the_errors_are_those_of_the_pipeline_and_the_declared_ones() -> None:
    found = table().find(NAMESPACE, TELL.name)
    assert isinstance(found, KnownCommand)
    assert {INVALID_PAYLOAD, TOKEN_EXPIRED, CONFLICT} <= found.errors
    assert FORBIDDEN not in found.errors
