"""The parameters of a query in its array form, and how the arguments of its calls become their arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, get_origin, get_type_hints


class ArrayParameter(NamedTuple):
    """An array for all calls."""

    argument: str
    """The argument of a call that it is made of."""
    make: Callable[[Sequence[Any]], list[Any]]
    """From this argument of each call."""


def array_parameters(method: Callable[..., Any]) -> dict[str, ArrayParameter]:
    """What the query of a joined method may take, by the names of its parameters."""
    found = {}
    for name, annotation in get_type_hints(method).items():
        if name == "return":
            continue
        if get_origin(annotation) is list:
            found[name] = ArrayParameter(name, _behind_one_another)
            found[f"{name}_firsts"] = ArrayParameter(name, _firsts)
            found[f"{name}_lasts"] = ArrayParameter(name, _lasts)
        else:
            found[f"{name}s"] = ArrayParameter(name, list)
    return found


def _behind_one_another(lists: Sequence[Sequence[Any]]) -> list[Any]:
    return [element for each in lists for element in each]


def _lasts(lists: Sequence[Sequence[Any]]) -> list[int]:
    return list(accumulate(map(len, lists)))


def _firsts(lists: Sequence[Sequence[Any]]) -> list[int]:
    return [1, *(last + 1 for last in _lasts(lists[:-1]))]
