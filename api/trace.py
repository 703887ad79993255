"""A request's id, and what is told of the requests beside the FHIR API. https://www.rfc-editor.org/rfc/rfc9110"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from uuid import uuid4

from api import metrics
from service import logs
from service.engine import Engine
from service.tenants import DEFAULT

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_LEGAL: Final = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_OF_A_TENANT: Final = (
    "token",
    "revoke",
    "introspect",
    "register",
    "jwks",
    "authorize",
    "par",
    "launch",
    "smart-style",
    "sign-in",
    "sign-out",
    "second-factor",
    "choose-patient",
    "consent",
    "apps",
    "account",
    "account-password",
    "account-second-factor",
    "account-sign-out-everywhere",
    "smart-configuration",
    "openid-configuration",
    "oauth-authorization-server",
    "calendar",
)
_PROBES: Final = ("live", "ready", "metrics")
"""What machines ask every few seconds: logged for who debugs."""


def request_id(given: str) -> str:
    """The caller's X-Request-Id where it can do no harm in headers, logs and audit; else one of ours."""
    return given if _LEGAL.fullmatch(given) else str(uuid4())


class Traced:
    """Gives each request to the application inside its id, its figures and its log line."""

    def __init__(self, application: Any, engine: Engine) -> None:
        self._application = application
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        identity = scope.setdefault("state", {})["request_id"] = request_id(given)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", identity.encode())]}
            await send(message)

        try:
            await self._application(scope, receive, answer)
        finally:
            self._tell(scope, identity, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, identity: str, status: int, seconds: float) -> None:
        name = getattr(scope.get("route"), "name", "unknown")
        tenant = scope.get("path_params", {}).get("tenant", DEFAULT) if name in _OF_A_TENANT else None
        known = tenant if tenant is not None and self._engine.knows(tenant) else None
        metrics.observe(name, None, status, seconds)
        logs.request(identity, known, name, None, status, seconds * 1000, is_probe=name in _PROBES)
