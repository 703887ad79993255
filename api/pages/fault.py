"""What went wrong, on a page, in the person's words. https://www.rfc-editor.org/rfc/rfc9700#section-4.11"""

from typing import Final

from fastapi import Response

from api.pages import render
from api.pages.render import Look
from api.pages.visit import Problem
from schemas import words
from service.errors import HearthError
from service.oauth import authorize
from service.oauth.parameters import PageFault

_KINDS: Final = {404: "missing", 429: "wait", 503: "away"}
"""Which sentences a refusal is told in; `sent` for any other."""


def fault_page(look: Look, fault: Exception, request_id: str) -> Response:
    """The page of a fault; one that nobody expected is a defect of ours, of which only the request's id is told."""
    if isinstance(fault, Problem):
        return _page(look, fault.kind, fault.status)
    if isinstance(fault, PageFault):
        is_over = fault.message == authorize.OVER
        return _page(look, "over" if is_over else "app", fault.status, detail="" if is_over else fault.message)
    if (isinstance(fault, HearthError) and fault.status < 500) or (
        isinstance(fault, HearthError) and fault.status == 503
    ):
        response = _page(look, _KINDS.get(fault.status, "sent"), fault.status, seconds=fault.retry_after)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response
    return _page(look, "defect", 500, request_id=request_id)


def _page(
    look: Look, kind: str, status: int, *, detail: str = "", seconds: int | None = None, request_id: str = ""
) -> Response:
    when = render.moment(words.of(look.language), seconds)
    return render.page(look, "fault", status, kind=kind, detail=detail, when=when, request_id=request_id)
