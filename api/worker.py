"""The application as uvicorn loads it into each worker process, and its OpenAPI document."""

import gc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from api.app import create_app
from service import logs
from service.settings import Settings


def factory() -> Any:
    """The application of one worker process, from the environment that `api.server.serve` left."""
    settings = Settings()
    logs.configure(settings.log_level, settings.log_format)
    application = create_app(settings)
    _spare_the_collector()
    return application


def _spare_the_collector() -> None:
    """Leave what lives for ever out of the cycle collector's sight, and run it less often: requests make no cycles.

    Without it each worker walks the registry and all compiled plans again after every few dozen requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def document() -> dict[str, Any]:
    """The OpenAPI document, the same whatever this machine's settings are; needs no database."""
    with TemporaryDirectory() as data_dir:
        settings = Settings(
            data_dir=Path(data_dir), database_url="postgresql://localhost/hearth", base_url="http://127.0.0.1:8080"
        )
        return dict(create_app(settings).openapi())
