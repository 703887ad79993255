"""A client's homework as a calendar, at an address that only its owner knows. Docs: docs/reminders.md, "In a calendar" """

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from service.calendar import feed
from service.calendar.feed import Asked
from service.engine import Engine
from service.tenants import DEFAULT

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
_HEADERS: Final = {
    "Cache-Control": "private, max-age=900",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
Form = Annotated[str, Query(alias="as", description="`events` or `todos`", examples=["todos"])]


def router(engine: Engine) -> APIRouter:
    """The feed, of the default tenant and of each other one."""
    routes = APIRouter(tags=["calendar"])

    async def calendar(request: Request, token: str, form: Form = "events", tenant: str = DEFAULT) -> Response:
        """The homework of the client whose link this is, as iCalendar (RFC 5545); a calendar app asks every hour or so."""
        known = request.headers.get("if-none-match", "").strip().removeprefix("W/").strip('"')
        address = request.client.host if request.client else None
        found = await feed.feed(engine, Asked(tenant, token, form, known or None, address, request.state.request_id))
        headers = {**_HEADERS, "ETag": f'"{found.etag}"'}
        if found.content is None:
            return Response(status_code=304, headers=headers)
        headers["Content-Disposition"] = 'inline; filename="plan.ics"'
        return Response(found.content, media_type=MEDIA_TYPE, headers=headers)

    described: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "The calendar"},
        304: {"description": "As the ETag in If-None-Match says"},
        404: {"description": "No such link, or not any more"},
    }
    for prefix in ("", "/t/{tenant}"):
        for method in ("GET", "HEAD"):
            routes.add_api_route(
                f"{prefix}/calendar/{{token}}.ics", calendar, methods=[method], name="calendar",
                response_class=Response, responses=described, include_in_schema=method == "GET",
            )  # fmt: skip
    return routes
