"""The limits of values that users type; `user:me` answers them, so that clients can check values during typing."""

from __future__ import annotations

from typing import Final

from realtime.contract.payload_size import LEAST_BYTES
from realtime.contract.wire import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Model

DISPLAY_NAME_CHARS: Final = 50
BIO_CHARS: Final = 300
POST_CHARS: Final = 5_000
LINK_CHARS: Final = 2_048
POST_TAGS: Final = 30
POST_MENTIONS: Final = 30
COMMENT_CHARS: Final = 2_000
MESSAGE_CHARS: Final = 4_000


class Limits(Model):
    """The longest texts in characters after normalisation to NFC, the largest pages in items.

    `payload_bytes` is taken by every command; one with longer texts takes more, however they are written.
    """

    display_name_chars: int = DISPLAY_NAME_CHARS
    bio_chars: int = BIO_CHARS
    post_chars: int = POST_CHARS
    post_tags: int = POST_TAGS
    post_mentions: int = POST_MENTIONS
    link_chars: int = LINK_CHARS
    comment_chars: int = COMMENT_CHARS
    message_chars: int = MESSAGE_CHARS
    page_items: int = PAGE_LIMIT_MAX
    page_items_default: int = PAGE_LIMIT_DEFAULT
    payload_bytes: int = LEAST_BYTES
