"""The mutes feature."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind_command
from handlers.mutes import contract, operations
from handlers.mutes.consumers import MUTE_ENDS

FEATURE: Final = Feature(
    name="mutes",
    commands=(
        bind_command(contract.USER_MUTE, operations.mute),
        bind_command(contract.USER_UNMUTE, operations.unmute),
    ),
    facts=(contract.MUTE_BEGUN, contract.MUTE_ENDED),
    consumers=(MUTE_ENDS,),
)
