"""Hot queries with the values that they are planned for, and those of chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sql.ids import MAX_ID
from tests.sql.big_tables import CHATTERER, LONG_TALK


class Hot(NamedTuple):
    query: str
    arguments: dict[str, Any]
    indexes: set[str]
    rows_touched: int
    """The most rows that all scans together may read."""
    probes: Mapping[str, int] = {}
    """How often the partitions of a table may be looked into, all together."""


HOT_OF_CHAT = [
    Hot(
        "chat.list_messages_before",
        {"viewer_ids": [CHATTERER], "conversation_ids": [LONG_TALK], "before_seqs": [15_000], "page_sizes": [50]},
        {"messages_pkey"},
        150,
        {"messages_": 1},
    ),
    Hot(
        "chat.move_position",
        {
            "conversation_ids": list(range(1, 65)),
            "user_ids": [CHATTERER] * 64,
            "read_seqs": [2] * 64,
            "delivered_seqs": [2] * 64,
            "patient": False,
        },
        {"conversations_pkey", "conversation_members_pkey"},
        64 * 8,
    ),
    Hot(
        "chat.list_direct_messages",
        {"viewer_id": CHATTERER, "before": MAX_ID, "skip": 0, "page_size": 21},
        {"conversation_members_user_idx", "conversations_pkey", "messages_pkey"},
        6_000,
        {"messages_": 300},
    ),
    Hot(
        "chat.list_conversations",
        {"viewer_ids": [CHATTERER], "befores": [MAX_ID], "page_sizes": [20]},
        {"conversation_members_user_idx", "conversations_pkey", "messages_pkey"},
        1_000,
        {"messages_": 20},
    ),
    Hot(
        "chat.read_changes",
        {
            "conversation_ids": list(range(1, 51)),
            "after_revs": [1] * 50,
            "viewer_ids": [CHATTERER],
            "conversation_ids_firsts": [1],
            "conversation_ids_lasts": [50],
            "after_revs_firsts": [1],
            "after_revs_lasts": [50],
            "page_sizes": [50],
            "byte_limits": [1_000_000],
            "beside_limits": [100],
        },
        {"messages_rev_idx", "conversations_pkey", "conversation_members_user_idx"},
        1_400,
        {"messages_": 200},
    ),
    Hot(
        "chat.list_changed_conversations",
        {"viewer_ids": [CHATTERER], "sinces": [250], "from_ids": [0], "page_sizes": [20], "count_limits": [201]},
        {"conversation_members_user_idx", "conversations_pkey", "messages_pkey"},
        1_000,
        {"messages_": 20},
    ),
    Hot(
        "chat.list_message_changes",
        {
            "viewer_ids": [CHATTERER],
            "sinces": [250],
            "from_ids": [0],
            "page_sizes": [20],
            "change_limits": [200],
            "count_limits": [201],
        },
        {"conversation_members_user_idx", "conversations_pkey", "messages_rev_idx"},
        800,
        {"messages_": 20},
    ),
    Hot(
        "chat.list_message_changes",
        {
            "viewer_ids": [CHATTERER],
            "sinces": [0],
            "from_ids": [0],
            "page_sizes": [20],
            "change_limits": [200],
            "count_limits": [21],
        },
        {"conversation_members_user_idx", "conversations_pkey", "messages_rev_idx"},
        400,
        {"messages_": 20},
    ),
    Hot(
        "chat.list_newest_messages",
        {"viewer_ids": [CHATTERER], "conversation_limits": [20], "page_sizes": [20], "byte_limits": [1_000_000]},
        {"conversation_members_user_idx", "conversations_pkey", "messages_pkey"},
        1_000,
        {"messages_": 80},
    ),
    Hot(
        "sync.peek",
        {"viewer_ids": [CHATTERER] * 8, "afters": [400] * 8},
        {"users_pkey", "conversation_members_user_idx", "conversations_pkey"},
        8 * 700,
    ),
]
