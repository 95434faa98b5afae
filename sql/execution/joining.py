"""How the calls of a query are declared to be joined: those of one turn of the loop become one statement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

MethodT = TypeVar("MethodT", bound=Callable[..., Awaitable[Any]])


class Joining(NamedTuple):
    """How the calls of a query are joined. `key` names the parameters that say what a call writes; None: it reads.

    `calls_max` is how many calls a statement that reads gets at most; None: as many as any.
    """

    key: tuple[str, ...] | None
    several: bool = False
    calls_max: int | None = None


def joined(method: MethodT) -> MethodT:
    """Declares that the query of this method only reads and is written in its array form, see JoinedQuery.

    Its parameters are arrays of those of the method, named with an `s` more. A list of the method, `ids`, becomes three
    arrays: `ids`, those of all calls behind one another, and `ids_firsts` and `ids_lasts`, where in it the list of each
    call begins and ends.
    """
    method.__joining__ = Joining(None)  # type: ignore[attr-defined]  # functions may have any attribute
    return method


def joined_up_to(calls_max: int) -> Callable[[MethodT], MethodT]:
    """The same for a query whose answers are large: a statement gets at most so many calls, which bounds its answer."""

    def declare(method: MethodT) -> MethodT:
        method.__joining__ = Joining(None, calls_max=calls_max)  # type: ignore[attr-defined]  # functions may have any attribute
        return method

    return declare


def joined_write(*key: str, several: bool = False) -> Callable[[MethodT], MethodT]:
    """The same for a query that writes, see JoinedWrites; calls with the same `key` take effect one after the other.

    With `several`, a statement may get several calls of one key, and carries them out in their order or skips them all.
    The query takes one more parameter, `patient`: true where it has to wait for rows that others have locked. Else it
    skips the calls that need such rows; its second column tells whether it did.
    """

    def declare(method: MethodT) -> MethodT:
        method.__joining__ = Joining(key, several)  # type: ignore[attr-defined]  # functions may have any attribute
        return method

    return declare


def joining_of(method: Callable[..., Any]) -> Joining | None:
    """How the calls of a query method are joined; None: not at all."""
    joining: Joining | None = getattr(method, "__joining__", None)
    return joining
