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


@pytest.mark.parametrize("marker", ["", '@pytest.mark.asyncio(loop_scope="module")'], ids=["function", "module"])
def test_a_leak_and_an_upset_loop_fail_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest(_CONFTEST)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
    pytester.makepyfile(_TESTS.format(marker=marker))
    result = pytester.runpytest_subprocess("-p", "no:valkey", "-p", "no:faker", "-p", "no:cacheprovider", "-v")
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*tasks left over*", "*exception handler was called*"])
