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
    assert emission(NOTED, note, to) == Emission(NOTED, note, to, "/one")


def test_a_push_is_sent_in_the_namespaces_that_it_declares() -> None:
    push = Push(name="noted", namespace="/one", also_in=("/two",), model=Note, audience="Everybody.")
    note, to = Note(text="hello"), ToRoom("room:1")
    assert emission(push, note, to, namespace="/two").namespace == "/two"
    with pytest.raises(ValueError, match="noted is not sent in /three"):
        emission(push, note, to, namespace="/three")


def test_another_model_of_the_same_shape_is_refused() -> None:
    with pytest.raises(TypeError, match="noted carries Note, not Other"):
        emission(NOTED, Other(text="hello"), ToRoom("room:1"))
