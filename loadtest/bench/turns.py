"""The order of measurements: every server has a turn in every round, so that a drift of the machine affects all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from loadtest.bench.figures import Figures
from loadtest.bench.processes import BenchFailed

Tell = Callable[[str], None]


class Named(Protocol):
    """What is compared: `name` in the figures, `title` for readers."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...


class Participant(Protocol):
    """One of those that are compared, running."""

    @property
    def spec(self) -> Named: ...


P = TypeVar("P", bound=Participant)
P_contra = TypeVar("P_contra", bound=Participant, contravariant=True)


class Turn(Protocol[P_contra]):
    """One participant's part in a round; figures of a warm-up round do not count."""

    def __call__(self, participant: P_contra, counts: bool) -> None: ...


class Turns:
    """Calls the participants in turn until `budget_s` is over; what fails is noted in `figures`."""

    def __init__(self, figures: Figures, *, budget_s: float, tell: Tell) -> None:
        self._figures = figures
        self._until_s = time.monotonic() + budget_s
        self._tell = tell
        self._told_over = False

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._until_s

    def play(self, participants: list[P], rounds: int, metric: str, turn: Turn[P]) -> None:
        """Runs all turns, each round starting with another participant. The first round warms up and does not count.

        A participant whose turn fails is removed from `participants`.
        """
        for number in range(rounds + 1):
            start = number % len(participants) if participants else 0
            for participant in participants[start:] + participants[:start]:
                if self.is_over:
                    if not self._told_over:
                        self._told_over = True
                        self._tell("no time left: fewer rounds were measured")
                    return
                self.attempt(participants, participant, metric, partial(turn, counts=number > 0))

    def attempt(self, participants: list[P], participant: P, metric: str, action: Callable[[P], None]) -> None:
        """Does something with a participant, and removes it from `participants` if that fails."""
        try:
            action(participant)
        except BenchFailed as error:
            self.fail(metric, participant.spec, error)
            participants.remove(participant)

    @contextmanager
    def isolating_failures(self, metric: str, spec: Named) -> Iterator[None]:
        """A failure in the block is noted; the others go on."""
        try:
            yield
        except BenchFailed as error:
            self.fail(metric, spec, error)

    def fail(self, metric: str, spec: Named, error: BenchFailed) -> None:
        self._tell(f"{spec.title} failed: {error}")
        self._figures.fail(metric, spec.name, str(error))
