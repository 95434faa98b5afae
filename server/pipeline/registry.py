"""Everything that the features declare, by name. Built once at start; raises ValueError when features contradict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from handlers.feature import BoundCommand, Consumer, EntryRooms, Feature, PlainOperation
from realtime.contract.collections import Collection
from realtime.contract.declarations import Fact, Push, Unit


class Registry:
    """Commands by (namespace, name), Facts, pushes, Collections by name, consumers in the order of their features."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self._commands: dict[tuple[str, str], BoundCommand] = {}
        self._everywhere: dict[str, BoundCommand] = {}
        self.facts: dict[str, Fact[Any]] = {}
        self.pushes: dict[str, Push[Any]] = {}
        self.collections: dict[str, Collection[Any]] = {}
        self.consumers: tuple[Consumer, ...] = tuple(consumer for feature in features for consumer in feature.consumers)
        for feature in features:
            self._add(feature)
        self._check_consumers()

    def _add(self, feature: Feature) -> None:
        for bound in feature.commands:
            key = (bound.command.namespace, bound.command.name)
            if key in self._commands:
                raise ValueError(f"{bound.command.name} is declared twice on {bound.command.namespace}")
            if isinstance(bound.operation, PlainOperation) is not (bound.command.unit is Unit.NONE):
                raise ValueError(f"{bound.command.name} declares {bound.command.unit} and is bound otherwise")
            self._commands[key] = bound
            if bound.command.any_namespace:
                self._everywhere[bound.command.name] = bound
        for fact in feature.facts:
            if fact.name in self.facts:
                raise ValueError(f"the fact {fact.name} is declared twice")
            self.facts[fact.name] = fact
        for push in feature.pushes:
            if push.name in self.pushes:
                raise ValueError(f"the push {push.name} is declared twice")
            self.pushes[push.name] = push
        for collection in (bound.collection for bound in feature.collections):
            if collection.name in self.collections:
                raise ValueError(f"the Collection {collection.name} is declared twice")
            self.collections[collection.name] = collection

    def _check_consumers(self) -> None:
        names = [consumer.name for consumer in self.consumers]
        if len(set(names)) != len(names):
            raise ValueError("two consumers have one name")
        for consumer in self.consumers:
            for handler in consumer.handlers:
                if self.facts.get(handler.fact.name) is not handler.fact:
                    raise ValueError(f"{consumer.name} reacts to {handler.fact.name}, which no feature declares")

    def find(self, namespace: str, name: str) -> BoundCommand | None:
        return self._commands.get((namespace, name)) or self._everywhere.get(name)

    def commands(self) -> Iterator[BoundCommand]:
        return iter(self._commands.values())

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that a client may connect to, sorted."""
        named = {namespace for namespace, _ in self._commands} | {push.namespace for push in self.pushes.values()}
        return tuple(sorted(named))

    def entry_rooms(self, namespace: str) -> list[EntryRooms]:
        return [feature.entry_rooms[namespace] for feature in self.features if namespace in feature.entry_rooms]

    def polled_topics(self, namespace: str) -> tuple[str, ...]:
        """The topics that long-polling clients are subscribed to in a namespace."""
        return tuple(topic for feature in self.features for topic in feature.polled_topics.get(namespace, ()))

    @property
    def connection_pushes(self) -> frozenset[str]:
        """The names of the pushes that concern a connection and are not given to long-polling clients."""
        return frozenset(push.name for push in self.pushes.values() if push.about_connection)
