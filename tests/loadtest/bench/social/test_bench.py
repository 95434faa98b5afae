"""`./run bench social` in its smallest form: runs everything, takes every figure, tells all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.bench.social.bench import main, sockets_at_once
from loadtest.bench.social.network import CELEBRITIES_MAX, FIRST_READER, broadcaster_from
from loadtest.bench.social.plan import GROUPS, LONG, METRICS, PARTS, QUICK, SMALL, TARGETS, SocialSizes


@pytest.mark.timeout(120)
def test_every_figure_is_there_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    found = json.loads((tmp_path / "social-quick.json").read_text())
    figures = {(figure["metric"], figure["server"]): figure["median"] for figure in found["figures"]}

    without = {"page_ranked"} if found["absent"] else set()
    wanted = {(metric.key, column.name) for part in PARTS for metric in part.metrics for column in part.columns}
    nothing_offered = {(metric, "alone") for metric in ("likes_offered", "likes_accepted", "likes_lag")}
    assert set(figures) == {(key, name) for key, name in wanted - nothing_offered if key not in without}
    assert all(metric.title in told for metric in METRICS if metric.key not in without)
    assert "refuses `view: ranked`" in told if without else "ranked, ms" in told

    assert figures["likes_uncounted", "measured"] == 0
    assert figures["likes_accepted", "hot"] > 0 and figures["likes_others", "hot"] > 0
    assert figures["mixed_accepted", "measured"] > 0 and figures["mixed_refused", "measured"] == 0
    assert [target["metric"] for target in found["targets"]] == [target.metric for target in TARGETS]
    assert told.count("  met") + told.count("  missed") == len(TARGETS)
    assert found["follows"] > QUICK.followers + QUICK.celebrities * QUICK.celebrity_followers
    assert (tmp_path / "social-quick.png").read_bytes().startswith(b"\x89PNG")


def test_every_target_speaks_of_figures_that_there_are() -> None:
    columns = {metric.key: {column.name for column in part.columns} for part in PARTS for metric in part.metrics}
    for target in TARGETS:
        assert {target.name, target.reference} - {None} <= columns[target.metric]


@pytest.mark.parametrize("sizes", [QUICK, SMALL, LONG])
def test_each_network_has_the_people_that_its_measurements_need(sizes: SocialSizes) -> None:
    assert sizes.celebrities <= CELEBRITIES_MAX
    assert sizes.followers < broadcaster_from(sizes) <= sizes.celebrity_followers
    assert FIRST_READER + sizes.celebrity_followers + sizes.viewers <= sizes.people
    assert max(sizes.listeners, sizes.viewers) <= sizes.followers
    assert sizes.others < sizes.sockets <= sizes.celebrity_followers
    assert sockets_at_once(sizes) < sizes.people


def test_the_long_form_is_the_network_of_the_requirements() -> None:
    assert (LONG.people, LONG.posts, LONG.followers) == (100_000, 2_000_000, 10_000)
    assert (LONG.mixed_rate, LONG.likes_rate) == (1_000, 10_000)


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--only", "weather"], "weather"), (["--quick", "--long"], "quick or long")]
)
def test_a_wrong_wish_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err
    assert "fanout" in GROUPS
