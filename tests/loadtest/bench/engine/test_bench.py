"""The bench itself, with a few sockets: starts every server and takes every measurement."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.bench.engine.bench import main
from loadtest.bench.engine.measurements import GROUPS, Bench
from loadtest.bench.engine.plan import TARGETS, Sizes, metrics
from loadtest.bench.engine.report import picture, table
from loadtest.bench.engine.servers import ALL, BARE, DISPATCH, ENGINE, NODE, RECOVERY, STOCK, ServerSpec
from loadtest.bench.figures import verdicts
from loadtest.bench.report import document, store
from tests.house.checkout import CHECKOUT

TINY = Sizes(small=8, large=40, entering=5, rounds=1, large_rounds=1, for_s=0.01, budget_s=40)
RATES = ("accepts", "deliveries", "acks")


def measured(servers: list[ServerSpec], groups: tuple[str, ...], sizes: Sizes = TINY) -> Bench:
    bench = Bench(servers, sizes, groups, tell=lambda text: None)
    bench.run()
    return bench


def test_every_figure_of_the_engine_is_there_and_is_told(tmp_path: Path) -> None:
    figures = measured([ENGINE, BARE], GROUPS).figures
    assert figures.failures == {}
    for metric in metrics(TINY):
        assert len(figures.samples[metric.key, "engine"]) == 1, metric
        # CPU times are above zero even where they are small; memory may round to zero
        assert metric.unit == "KiB" or figures.samples[metric.key, "engine"][0] > 0, metric
    reached = verdicts(figures, TARGETS)
    text = table(figures, [ENGINE, BARE], TINY, reached)
    assert all(metric.title in text for metric in metrics(TINY)) and "engine / bare" in text
    drawn = picture(figures, [ENGINE, BARE], TINY)
    text_path, image_path = store(tmp_path / "new", "engine", document(figures, reached, {}), drawn)
    kept = json.loads(text_path.read_text())
    assert len(kept["figures"]) == len(figures.samples) and len(kept["targets"]) == len(reached)
    assert image_path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("spec", [DISPATCH, STOCK], ids=lambda spec: spec.name)
def test_a_server_answers_all_that_is_measured(spec: ServerSpec) -> None:
    figures = measured([spec], RATES).figures
    assert figures.failures == {}
    keys = {"accept_1", "deliver_small_1", "deliver_small_32", "ack"} | {f"accept_{spec.namespaces}"}
    assert {key for key, _ in figures.samples} == keys | {"p50_small", "p99_small"}


def test_clients_that_ask_for_recovery_come_once_and_stay() -> None:
    figures = measured([RECOVERY], GROUPS).figures
    assert figures.failures == {}
    expected = {metric.key for metric in metrics(TINY)} - {"accept_1", "accept_6"}
    assert {key for key, _ in figures.samples} == {key for key in expected if not key.endswith("_32")}


@pytest.mark.skipif(
    shutil.which("node") is None or not (CHECKOUT / "loadtest/peers/node/node_modules").exists(),
    reason="the packages of loadtest/peers/node are not installed: ./run bench engine installs them",
)
def test_node_answers_all_that_is_measured() -> None:
    figures = measured([NODE], GROUPS).figures
    assert figures.failures == {}
    assert {key for key, _ in figures.samples} == {metric.key for metric in metrics(TINY)}


def test_a_server_that_fails_is_told_and_the_others_are_measured() -> None:
    silent = replace(BARE, name="silent", command=(sys.executable, "-c", "pass"))
    missing = replace(BARE, name="missing", command=("no-such-program",))
    deaf = replace(BARE, name="deaf", command=(sys.executable, "-c", _DEAF))
    figures = measured([silent, missing, deaf, BARE], ("acks",)).figures
    assert figures.failures[("start", "silent")] == "it has ended"
    assert "cannot be started" in figures.failures[("start", "missing")]
    assert ("deliver_small_1", "deaf") in figures.failures
    assert list(figures.samples) == [("ack", "bare")]


def test_a_run_ends_when_its_time_is_over() -> None:
    figures = measured([BARE], GROUPS, replace(TINY, budget_s=0)).figures
    assert figures.samples == {}
    assert figures.failures == {("idle", "bare"): "there was no time left"}


def test_the_command_tells_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["turbine"], ["--only", "everything"], ["--servers", "abacus"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "abacus" in capsys.readouterr().err


def test_names_are_told_apart() -> None:
    assert len({spec.name for spec in ALL}) == len(ALL)


_DEAF = """
import json, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
print(json.dumps({"ready": True}), flush=True)
while True:
    server.accept()[0].close()
"""
