"""A push of the wrong shape fails where it is made."""

from __future__ import annotations

import pytest

from realtime.contract.declarations import Push
from realtime.contract.emissions import Emission, ToRoom, ToTopic, emission
from realtime.contract.wire import Model


class Note(Model):
    text: str


class Other(Model):
    text: str


NOTED = Push(name="noted", namespace="/one", model=Note, audience="Everybody.")


@pytest.mark.parametrize("to", [ToRoom("room:1"), ToTopic("news", [1, 2])])
def test_a_push_carries_its_model(to: ToRoom | ToTopic) -> None:
    note = Note(text="hello")
    assert emission(NOTED, note, to) == Emission(NOTED, note, to)


def test_another_model_of_the_same_shape_is_refused() -> None:
    with pytest.raises(TypeError, match="noted carries Note, not Other"):
        emission(NOTED, Other(text="hello"), ToRoom("room:1"))
