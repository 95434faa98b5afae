"""How well the cache of encoded objects serves, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.bodies.body_cache import BodyCache


class BodyCacheMetrics(Collector):
    """The counters of one cache."""

    def __init__(self, bodies: BodyCache) -> None:
        self._bodies = bodies

    def collect(self) -> Iterator[Metric]:
        bodies = self._bodies
        reads = CounterMetricFamily(
            "rookery_body_reads_total", "Encoded objects asked of the cache, by whether it had them.", labels=["result"]
        )
        reads.add_metric(["hit"], bodies.hits)
        reads.add_metric(["miss"], bodies.misses)
        yield reads
        yield CounterMetricFamily(
            "rookery_body_evictions_total", "Encoded objects that made room for others.", bodies.evictions
        )
        yield GaugeMetricFamily("rookery_body_cache_bytes", "Bytes that encoded objects take.", bodies.used_bytes)
