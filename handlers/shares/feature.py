"""The shares feature."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind_command
from handlers.shares.consumers import SHARE_WATCHERS
from handlers.shares.contract import POST_SHARE, POST_UNSHARE
from handlers.shares.operations import share_post, unshare_post

FEATURE: Final = Feature(
    name="shares",
    commands=(bind_command(POST_SHARE, share_post), bind_command(POST_UNSHARE, unshare_post)),
    consumers=(SHARE_WATCHERS,),
)
