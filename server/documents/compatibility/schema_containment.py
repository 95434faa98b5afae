"""Whether every value of one JSON Schema is a value of another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from server.documents.compatibility.schema_forms import LOWER_BOUNDS, UPPER_BOUNDS, Form, Schema, forms

_BOUNDS_OF = {
    "minimum": {"integer", "number"},
    "exclusiveMinimum": {"integer", "number"},
    "maximum": {"integer", "number"},
    "exclusiveMaximum": {"integer", "number"},
    "minLength": {"string"},
    "maxLength": {"string"},
    "minItems": {"array"},
    "maxItems": {"array"},
    "minProperties": {"object"},
    "maxProperties": {"object"},
}


class Described(NamedTuple):
    """A schema with the components to which it refers."""

    schema: Schema | bool
    components: Mapping[str, Any]

    def part(self, schema: Schema | bool) -> Described:
        return Described(schema, self.components)


def differences(inner: Described, outer: Described) -> list[str]:
    """Why a value of `inner` may be none of `outer`, each with the path of the value; empty where all of them are.

    A field that `outer` describes and `inner` leaves open is a difference too: it was taken away.
    """
    return list(dict.fromkeys(_Comparison().differences(inner, outer, "")))


class _Comparison:
    def __init__(self) -> None:
        self._running: set[tuple[str, str]] = set()

    def differences(self, inner: Described, outer: Described, path: str) -> Iterator[str]:
        pair = (repr(inner.schema), repr(outer.schema))
        if pair in self._running:  # a model that refers to itself
            return
        self._running.add(pair)
        allowed = forms(outer.schema, outer.components)
        for form in forms(inner.schema, inner.components):
            # What is told of a value that fits none is told of those of its own type, if any.
            alike = [option for option in allowed if option.types & _with_integers(form.types)] or allowed
            found = [list(self._of_forms(form, inner, option, outer, path)) for option in alike]
            if not found:
                yield f"{path or 'it'} is not allowed"
            elif all(found):
                yield from min(found, key=len)
        self._running.discard(pair)

    def _of_forms(self, form: Form, inner: Described, option: Form, outer: Described, path: str) -> Iterator[str]:
        name = path or "it"
        if other_types := sorted(form.types - _with_integers(option.types)):
            yield f"{name} may be {' or '.join(other_types)}"
            return
        if option.values is not None:
            if form.values is None:
                yield f"{name} may have other values than {_listed(option.values)}"
            elif others := [value for value in form.values if value not in option.values]:
                yield f"{name} may be {_listed(others)}"
        if form.values is None or option.values is None:
            # Whether each of the known values keeps the rules is not worked out.
            yield from _bounds(form, option, name)
            for keyword, rule in sorted(option.rules - form.rules):
                yield f"{name} may break the rule {keyword}: {rule}"
        if "array" in form.types:
            yield from self.differences(inner.part(form.items), outer.part(option.items), f"{path}[]")
        if "object" in form.types:
            yield from self._of_objects(form, inner, option, outer, path)

    def _of_objects(self, form: Form, inner: Described, option: Form, outer: Described, path: str) -> Iterator[str]:
        start = f"{path}." if path else ""
        for missing in sorted(option.required - form.required):
            yield f"{start}{missing} may be absent"
        for name, schema in form.properties.items():
            allowed = option.properties.get(name, option.others)
            yield from self.differences(inner.part(schema), outer.part(allowed), f"{start}{name}")
        for name, schema in option.properties.items():
            if name in form.properties:
                continue
            if form.others is True and schema != {}:
                yield f"{start}{name} is not there"
            elif not isinstance(form.others, bool):
                yield from self.differences(inner.part(form.others), outer.part(schema), f"{start}{name}")
        if form.others is not False and option.others is not True:
            yield from self.differences(inner.part(form.others), outer.part(option.others), f"{start}*")


def _bounds(form: Form, option: Form, name: str) -> Iterator[str]:
    for keywords, is_wider in ((LOWER_BOUNDS, float.__lt__), (UPPER_BOUNDS, float.__gt__)):
        for keyword in keywords:
            bound = option.bounds.get(keyword)
            if bound is None or not form.types & _BOUNDS_OF[keyword]:
                continue
            own = form.bounds.get(keyword)
            if own is None or is_wider(float(own), float(bound)):
                yield f"{name} may be beyond the {keyword} of {bound}"


def _with_integers(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(repr, values))
