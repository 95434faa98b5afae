"""The counters of the cache of encoded objects, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from realtime.bodies.body_cache import BodyCache
from server.monitoring.body_cache_metrics import BodyCacheMetrics
from server.monitoring.metrics import Metrics


def test_they_show_hits_misses_and_what_is_taken() -> None:
    bodies, metrics = BodyCache(1_000), Metrics()
    metrics.add(BodyCacheMetrics(bodies))
    for key in (1, 2, 3):
        bodies.put(key, bytes(100))
    bodies.get_many([1, 2, 3, 4])
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    assert found["rookery_body_reads_total", "hit"] == 2
    assert found["rookery_body_reads_total", "miss"] == 2
    assert found[("rookery_body_evictions_total",)] == 1
    assert found[("rookery_body_cache_bytes",)] == bodies.used_bytes > 0
