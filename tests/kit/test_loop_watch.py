"""Tests the watch itself: a watch that never fails would hide every leak."""

from pathlib import Path

import pytest

_CONFTEST = (Path(__file__).parents[1] / "conftest.py").read_text()
_TESTS = """
import asyncio
import pytest

kept = []

{marker}
async def test_leaves_a_task():
    kept.append(asyncio.create_task(asyncio.sleep(3600)))

{marker}
async def test_upsets_the_loop():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)

{marker}
async def test_is_tidy():
    await asyncio.create_task(asyncio.sleep(0))
"""


def test_a_leak_and_an_upset_loop_fail_the_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest(_CONFTEST)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
    pytester.makepyfile(
        test_a_loop_per_test=_TESTS.format(marker=""),
        test_one_loop=_TESTS.format(marker='@pytest.mark.asyncio(loop_scope="module")'),
    )
    result = pytester.runpytest_subprocess("-p", "no:valkey", "-p", "no:faker", "-p", "no:cacheprovider", "-v")
    result.assert_outcomes(passed=6, errors=4)
    result.stdout.fnmatch_lines(["*tasks left over*", "*exception handler was called*"] * 2)
