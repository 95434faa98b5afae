"""The endpoints of operators and load balancers: `/health`, `/ready`, `/metrics`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from realtime.engine.drain_state import DrainState
from realtime.pubsub.backplane import Backplane
from server.monitoring.metrics import Metrics
from sql.unit import Units

Check = Callable[[], Awaitable[str | None]]
"""Returns None when all is well, else one sentence about the problem."""


class Health:
    """`/health` answers while the process lives; `/ready` is 503 while one of the checks finds a problem."""

    def __init__(self, checks: Mapping[str, Check], metrics: Metrics, version: str) -> None:
        self._checks = checks
        self._metrics = metrics
        self._version = version

    def attach(self, app: web.Application) -> None:
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._show_metrics)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": self._version})

    async def _ready(self, request: web.Request) -> web.Response:
        results = {name: await check() for name, check in self._checks.items()}
        problems = {name: problem for name, problem in results.items() if problem is not None}
        return web.json_response(
            {"ready": not problems, "checks": {name: problem or "ok" for name, problem in results.items()}},
            status=503 if problems else 200,
        )

    async def _show_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})


def readiness(units: Units, backplane: Backplane, drain_state: DrainState) -> Mapping[str, Check]:
    """The checks of `/ready`: PostgreSQL answers, the node receives its own messages over Redis, it does not drain."""

    async def database() -> str | None:
        try:
            await units.reads.facts.read_held()
        except Exception as error:  # also one that is no outage: commands fail with it as well
            return f"PostgreSQL: {error}"
        return None

    async def backplane_check() -> str | None:
        return backplane.problem

    async def traffic() -> str | None:
        return "draining" if drain_state.is_draining else None

    return {"database": database, "backplane": backplane_check, "traffic": traffic}
