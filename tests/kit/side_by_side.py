"""Runs scenarios that mostly wait at the same time, in one test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any, cast

import pytest


async def side_by_side(subtests: pytest.Subtests, *scenarios: Coroutine[Any, Any, None]) -> None:
    """Runs all to their end; each that fails is a failure of its own, by the name of its function."""
    outcomes = await asyncio.gather(*scenarios, return_exceptions=True)
    for scenario, outcome in zip(scenarios, outcomes, strict=True):
        with subtests.test(cast("CoroutineType[Any, Any, None]", scenario).__name__):
            if isinstance(outcome, BaseException):
                raise outcome
