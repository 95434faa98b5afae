"""Lists of ids as bytes: 8 bytes for each id, big-endian, in the order of the list."""

from __future__ import annotations

import struct
from collections.abc import Sequence

ID_BYTES = 8


def pack_ids(ids: Sequence[int]) -> bytes:
    """Ids from 0 to 2**64 - 1 as bytes. Raises struct.error for any other number."""
    return struct.pack(f">{len(ids)}Q", *ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    """The ids of a packed list. Raises ValueError where the bytes end in the middle of an id."""
    if len(packed) % ID_BYTES:
        raise ValueError("a packed list ends in the middle of an id")
    return struct.unpack(f">{len(packed) // ID_BYTES}Q", packed)


def contains_id(packed: bytes, packed_id: bytes) -> bool:
    """Whether a packed list contains an id that is packed too. Nothing is unpacked."""
    at = packed.find(packed_id)
    # A match that begins in the middle of an id is made of the bytes of two neighbours.
    while at > 0 and at % ID_BYTES:
        at = packed.find(packed_id, at + 1)
    return at >= 0
