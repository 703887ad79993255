"""Liveness, readiness and metrics. https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"""

from fastapi import APIRouter, Response

from api import metrics
from service.doctor import FEED
from service.engine import Engine
from service.errors import HearthError, Unavailable


def router(engine: Engine) -> APIRouter:
    """/health/live, /health/ready, /metrics."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "ok"}

    @routes.get("/health/ready")
    async def ready() -> dict[str, str]:
        """Whether requests can be carried out: the database is there and reads can be audited. 503 when not."""
        if not engine.spool.healthy():
            raise Unavailable("The audit spool is full or cannot be written", retry_after=5)
        async with engine.database.connection(0) as connection:
            await connection.fetchval("select 1")
        return {"status": "ok"}

    @routes.get("/metrics", name="metrics", include_in_schema=False)
    async def scrape() -> Response:
        """Figures for Prometheus."""
        try:
            async with engine.database.connection(0) as connection:
                feed_age: float | None = float(await connection.fetchval(FEED))
        except HearthError:
            feed_age = None
        opened, idle, _ = engine.database.usage()
        metrics.gauge(opened, idle, engine.spool.waiting_bytes, feed_age)
        return Response(metrics.render(), media_type=metrics.MEDIA_TYPE)

    return routes
