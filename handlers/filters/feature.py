"""The feature of words that hide."""

from __future__ import annotations

from typing import Final

from handlers.feature import Feature, bind_command
from handlers.filters import contract, operations
from handlers.filters.notices import FILTER_ENDS

FEATURE: Final = Feature(
    name="filters",
    commands=(
        bind_command(contract.FILTER_LIST, operations.list_filters),
        bind_command(contract.FILTER_SET, operations.set_filter),
        bind_command(contract.FILTER_REMOVE, operations.remove_filter),
    ),
    facts=(contract.FILTER_ENDED,),
    consumers=(FILTER_ENDS,),
)
