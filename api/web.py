"""The web application around the FHIR API: its errors speak OperationOutcome too, its /docs needs no other host."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from api import docs, openapi
from api.message import refusal_headers
from api.outcomes import refusal_body
from service import logs
from service.errors import DEFECT, BadRequest, HearthError, MethodNotAllowed, NotFound

_FHIR_JSON = "application/fhir+json; charset=utf-8"


def web_application(origin: str) -> FastAPI:
    """FastAPI without its documentation pages, which load scripts from elsewhere."""
    web = FastAPI(title="Hearth", docs_url=None, redoc_url=None, openapi_url=None)
    web.add_exception_handler(HearthError, _refused)
    web.add_exception_handler(HTTPException, _not_routed)
    web.add_exception_handler(RequestValidationError, _invalid)
    web.add_exception_handler(Exception, _failed)

    @web.get("/openapi.json", name="openapi", include_in_schema=False)
    async def document() -> Response:
        return JSONResponse(openapi.document(web))

    @web.get("/docs", name="docs", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(docs.page(openapi.document(web), origin), headers={"Content-Security-Policy": docs.POLICY})

    @web.get("/", include_in_schema=False)
    async def start() -> Response:
        return Response(status_code=307, headers={"Location": "/docs"})

    return web


def _response(refusal: HearthError) -> Response:
    response = Response(refusal_body(refusal), refusal.status, media_type=_FHIR_JSON)
    for name, value in refusal_headers(refusal):
        response.headers[name.decode()] = value.decode("latin-1")
    return response


async def _refused(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HearthError)
    return _response(fault)


async def _not_routed(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    if fault.status_code == 405:
        allow = (fault.headers or {}).get("Allow", "")
        return _response(
            MethodNotAllowed(f"{request.method} is not possible here; {allow} is", headers=[("Allow", allow)])
        )
    return _response(
        NotFound(
            f"There is nothing at '{request.url.path[:200]}'; the FHIR API is below /fhir, its description at /docs"
        )
    )


async def _invalid(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first: dict[str, Any] = fault.errors()[0]
    return _response(BadRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))


async def _failed(request: Request, _fault: Exception) -> Response:
    logs.failure(request.state.request_id)
    return _response(HearthError(DEFECT))
