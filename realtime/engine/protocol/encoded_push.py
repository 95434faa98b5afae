"""A push in the encodings that its recipients need, each made when the first of them needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from realtime.engine.protocol.codec import Codec
from realtime.engine.protocol.frames import Outgoing

FORMS_PER_CODEC: Final = 2
_NO_FORMS: Final = (None,) * 3 * FORMS_PER_CODEC


class Subjects(NamedTuple):
    """What a push tells of, by name and version, and the scope of the `resync` that stands in its place when one of
    them was withdrawn. `generation` is that of the node's withdrawals when it received the push. `without` are packed
    ids of users who are not told of it at all.
    """

    scope: str
    named: Sequence[tuple[str, int]]
    generation: int
    without: bytes = b""


class EncodedPush:
    """One push; `data` is encoded JSON. `push_id` is unique over nodes, None for a push that is never replayed.

    `subjects` is None for a push that tells of nothing that can be withdrawn.
    `forms` are its encodings so far: two of each codec, without and with the push id; None where nobody needed it yet.
    """

    __slots__ = ("__weakref__", "data", "event", "forms", "namespace", "push_id", "subjects")

    def __init__(
        self,
        namespace: str,
        event: str,
        data: bytes,
        push_id: str | None = None,
        subjects: Subjects | None = None,
    ) -> None:
        self.namespace = namespace
        self.event = event
        self.data = data
        self.push_id = push_id
        self.subjects = subjects
        self.forms: list[Outgoing | None] = list(_NO_FORMS)

    def packet(self, codec: Codec, *, with_offset: bool) -> Outgoing:
        """The encoded packet; the push id is its last argument for sessions that asked for recovery."""
        offset = self.push_id if with_offset else None
        form = FORMS_PER_CODEC * codec.CODEC + (offset is not None)
        packet = self.forms[form]
        if packet is None:
            packet = self.forms[form] = codec.encode_event(self.namespace, self.event, self.data, offset)
        return packet
