"""The benchmark of commands itself, with a few sockets: starts everything and takes every kind of figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.bench.commands.bench import main
from loadtest.bench.commands.measurements import CommandsBench
from loadtest.bench.commands.participants import ALL
from loadtest.bench.commands.plan import FULL, QUICK, TARGETS, CommandsSizes, key, metrics
from loadtest.bench.commands.report import picture, table
from loadtest.bench.figures import Target, verdicts
from loadtest.bench.report import document, store
from tests.loadtest.bench.commands.stage import NODE_IS_MISSING

TINY = CommandsSizes((2,), people=8, posts=40, rounds=1, for_s=0.02, pgbench_warm_s=0.3, budget_s=60)
MEASURED = ("profile", "like")


@pytest.mark.skipif(NODE_IS_MISSING, reason="the packages of loadtest/peers/node are missing: ./run test installs them")
@pytest.mark.timeout(170)
def test_every_figure_of_everything_compared_is_there_and_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    figures = CommandsBench(ALL, TINY, MEASURED, work=True, tell=told.append).run()
    assert figures.failures == {} and set(figures.absent) <= {"pgbench"}, told
    compared = [spec for spec in ALL if spec.name not in figures.absent]
    for spec in compared:
        for kind in ("rate", "cpu", "postgres", "p50", "p99"):
            for command in MEASURED:
                samples = figures.samples.get((key(kind, command, 2), spec.name))
                # pgbench is a client and no server, and PostgreSQL's clock may not have ticked in so short a time
                assert kind in ("cpu", "postgres") or (samples and samples[0] > 0), (spec, kind, command)
    assert figures.samples[key("cpu", "like", 2), "product"][0] > 0
    assert (key("cpu", "like", 2), "pgbench") not in figures.samples

    reached = verdicts(figures, [Target(key("rate", "like", 2), "product", 0, "node", "at least")])
    text = table(figures, ALL, TINY, reached)
    assert all(title in text for title in ("profile, 2 sockets", "like or unlike, 2 sockets", "product / node"))
    content = document(figures, reached, {})
    text_path, image_path = store(tmp_path / "new", "commands", content, picture(figures, ALL, TINY))
    assert len(json.loads(text_path.read_text())["figures"]) == len(figures.samples)
    assert image_path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "everything"], "everything"),
        (["--servers", "abacus"], "abacus"),
        (["--sockets", "64", "--people", "63"], "need as many people"),
        (["--sockets", "0"], "at least one socket"),
    ],
)
def test_a_wrong_wish_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_every_target_speaks_of_rows_and_columns_that_there_are() -> None:
    keys = {metric.key for metric in metrics(FULL)}
    for target in TARGETS:
        assert target.metric in keys
        assert {target.name, target.reference} <= {spec.name for spec in ALL}


def test_a_quick_run_does_less() -> None:
    assert QUICK.budget_s < FULL.budget_s and QUICK.rounds < FULL.rounds and set(QUICK.sockets) < set(FULL.sockets)
    assert max(FULL.sockets) <= FULL.people and max(QUICK.sockets) <= QUICK.people
