"""`./run bench facts` runs, measures everybody, and tells what was found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.bench.facts.bench import METRICS, main


@pytest.mark.timeout(90)
def test_every_figure_of_all_consumers_is_there_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["rookery", "sql"]
    assert main(["--quick", "--servers", *names, "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    found = json.loads((tmp_path / "facts-quick.json").read_text())
    assert {(figure["metric"], figure["server"]) for figure in found["figures"]} == {
        (metric.key, name) for metric in METRICS for name in names
    }
    assert all(figure["median"] > 0 for figure in found["figures"])
    assert [target["metric"] for target in found["targets"]] == ["drained"]
    assert all(metric.title in told for metric in METRICS)
    assert (tmp_path / "facts-quick.png").stat().st_size > 0
