"""The composition root: one ASGI application of the FHIR API and the pages around it."""

from typing import Any, Final

from fastapi import FastAPI

from api import authorize, oauth, openapi, operations
from api.fhir import FhirApi, Receive, Scope, Send
from api.pages import routes as pages
from api.trace import Traced
from api.web import web_application
from service.engine import Engine
from service.settings import Settings
from service.tenants import DEFAULT

_FHIR: Final = "/fhir"
_WELL_KNOWN: Final = ".well-known/"


class Hearth:
    """Sends a request below a FHIR base to the FHIR API, every other one to the web application."""

    def __init__(self, engine: Engine, web: FastAPI) -> None:
        self.engine = engine
        self.web = web
        self._traced = Traced(web, engine)
        self._fhir = FhirApi(engine)
        self._origin = engine.settings.base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3. https://asgi.readthedocs.io/en/latest/specs/main.html"""
        if scope["type"] == "http":
            tenant, prefix, path = _split(scope["path"])
            if prefix and not path.startswith(_WELL_KNOWN):
                await self._fhir(scope, receive, send, tenant, self._origin + prefix, path)
                return
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        await self._traced(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of everything that is served."""
        return openapi.document(self.web)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.engine.start()
        except Exception as fault:
            await send({"type": "lifespan.startup.failed", "message": f"{type(fault).__name__}: {fault}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.engine.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _split(path: str) -> tuple[str, str, str]:
    """(tenant, prefix of the FHIR base, rest of the path); no prefix when the path is not below a FHIR base."""
    if path.startswith("/fhir"):
        if path[5:6] in ("", "/"):
            return DEFAULT, _FHIR, path[6:]
    elif path.startswith("/t/"):
        tenant, slash, rest = path[3:].partition("/")
        if slash and (rest == "fhir" or rest.startswith("fhir/")):
            return tenant, f"/t/{tenant}/fhir", rest[5:]
    return "", "", ""


def create_app(settings: Settings) -> Any:
    """The application of one worker; `settings.database_url` names the database."""
    if settings.database_url is None:
        raise ValueError("create_app needs a database_url; `hearth serve` starts the embedded one and sets it")
    engine = Engine(settings, settings.database_url)
    web = web_application(settings.base_url)
    web.include_router(operations.router(engine))
    web.include_router(oauth.router(engine))
    web.include_router(authorize.router(engine))
    web.include_router(pages.router(engine))
    return Hearth(engine, web)
