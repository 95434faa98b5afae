"""What operators and load balancers ask: is it alive, may it get traffic, what does it count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from server.metrics import Metrics

Check = Callable[[], Awaitable[str | None]]
"""None when all is well, else one sentence about what is not."""


class Health:
    """`/health` answers while the process lives; `/ready` is 503 while a dependency is deaf or the server drains."""

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
