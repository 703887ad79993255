"""What Prometheus scrapes at /metrics. https://prometheus.github.io/client_python/

With several workers the figures are joined through files in PROMETHEUS_MULTIPROC_DIR, which `hearth serve` sets.
"""

import os
from functools import lru_cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_REGISTRY: Final = CollectorRegistry()
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REQUESTS: Final = Counter(
    "hearth_requests",
    "FHIR requests by interaction, type and status",
    ("interaction", "type", "status"),
    registry=_REGISTRY,
)
_SECONDS: Final = Histogram(
    "hearth_request_seconds", "Time to answer a FHIR request", ("interaction",), buckets=_BUCKETS, registry=_REGISTRY
)
_CONNECTIONS: Final = Gauge(
    "hearth_connections",
    "Database connections of this worker",
    ("state",),
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
_FEED_AGE: Final = Gauge(
    "hearth_feed_age_seconds", "Age of the oldest open transaction, which the change feed waits for", registry=_REGISTRY,
    multiprocess_mode="mostrecent",
)  # fmt: skip
_SPOOL: Final = Gauge(
    "hearth_audit_spool_bytes", "Audit records on local disk, not yet in the database", registry=_REGISTRY,
    multiprocess_mode="livesum",
)  # fmt: skip


@lru_cache(maxsize=4096)
def _counter(interaction: str, type_name: str, status: int) -> Counter:
    return _REQUESTS.labels(interaction, type_name, str(status))


@lru_cache(maxsize=64)
def _histogram(interaction: str) -> Histogram:
    return _SECONDS.labels(interaction)


def observe(interaction: str, type_name: str | None, status: int, seconds: float) -> None:
    """Count one answered request; `type_name` is a type that is held, or None."""
    _counter(interaction, type_name or "", status).inc()
    _histogram(interaction).observe(seconds)


def gauge(open_connections: int, idle: int, spool_bytes: int, feed_age: float | None) -> None:
    """Set what is true right now."""
    _CONNECTIONS.labels("busy").set(open_connections - idle)
    _CONNECTIONS.labels("idle").set(idle)
    _SPOOL.set(spool_bytes)
    if feed_age is not None:
        _FEED_AGE.set(feed_age)


def render() -> bytes:
    """The exposition text."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_REGISTRY)
    joined = CollectorRegistry()
    MultiProcessCollector(joined)  # type: ignore[no-untyped-call]  # the library has no types here
    return generate_latest(joined)
