from dataclasses import fields

import pytest

from loadtest.bench.engine.plan import FULL, QUICK, TARGETS, Sizes, metrics
from loadtest.bench.engine.servers import ALL


@pytest.mark.parametrize("sizes", [FULL, QUICK])
def test_every_target_speaks_of_rows_and_servers_that_there_are(sizes: Sizes) -> None:
    keys = {metric.key for metric in metrics(sizes)}
    names = {spec.name for spec in ALL}
    for target in TARGETS:
        assert target.metric in keys
        assert {target.name, target.reference or target.name} <= names


def test_a_quick_run_does_less_of_everything() -> None:
    assert all(getattr(QUICK, field.name) < getattr(FULL, field.name) for field in fields(Sizes))
