"""The composition root: one ASGI application of the FHIR API and the pages around it."""

import re
from typing import Any, Final

from fastapi import FastAPI

from api import authorize, calendar, oauth, openapi, operations
from api.fhir import FhirApi
from api.homework.application import HomeworkApi
from api.jobs import Jobs
from api.message import Receive, Scope, Send
from api.pages import routes as pages
from api.trace import Traced
from api.web import web_application
from service.engine import Engine
from service.settings import Settings
from service.tenants import DEFAULT

_FHIR: Final = "/fhir"
_WELL_KNOWN: Final = ".well-known/"
_HOMEWORK: Final = re.compile(r"(?:/t/(?P<tenant>[^/]+))?/api/v1(?:/(?P<rest>.*))?", re.DOTALL)


class Hearth:
    """Sends a request below a FHIR base to the FHIR API, every other one to the web application."""

    def __init__(self, engine: Engine, web: FastAPI) -> None:
        self.engine = engine
        self.web = web
        self._traced = Traced(web, engine)
        self._fhir = FhirApi(engine)
        self._homework = HomeworkApi(engine)
        self._origin = engine.settings.base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3. https://asgi.readthedocs.io/en/latest/specs/main.html"""
        if scope["type"] == "http":
            tenant, prefix, path = _split(scope["path"])
            if prefix and not path.startswith(_WELL_KNOWN):
                await self._fhir(scope, receive, send, tenant, self._origin + prefix, path)
                return
            tenant, prefix, path = _split_homework(scope["path"])
            if prefix:
                await self._homework(scope, receive, send, tenant, self._origin + prefix, path)
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
        jobs = Jobs(self.engine)
        if self.engine.settings.jobs:
            jobs.start()
        await receive()
        await jobs.stop()
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


def _split_homework(path: str) -> tuple[str, str, str]:
    """(tenant, prefix of its FHIR base, rest of the path) of an address of the homework API; no prefix for any other."""
    found = _HOMEWORK.fullmatch(path)
    if found is None:
        return "", "", ""
    tenant = found["tenant"]
    return tenant or DEFAULT, f"/t/{tenant}/fhir" if tenant else _FHIR, found["rest"] or ""


def create_app(settings: Settings) -> Any:
    """The application of one worker; `settings.database_url` names the database."""
    if settings.database_url is None:
        raise ValueError("create_app needs a database_url; `hearth serve` starts the embedded one and sets it")
    engine = Engine(settings, settings.database_url)
    web = web_application(settings.base_url)
    web.include_router(operations.router(engine))
    web.include_router(oauth.router(engine))
    web.include_router(authorize.router(engine))
    web.include_router(calendar.router(engine))
    web.include_router(pages.router(engine))
    return Hearth(engine, web)
