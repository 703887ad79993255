"""Logging: one line an event, JSON for machines or text for a terminal; never a body, a stack or an exception's words.

An exception's message may quote a row or a statement, and so health data: a line says its type and where it was raised.
https://www.structlog.org/en/stable/performance.html
"""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

ROOMS: Final = ("api", "service", "fhir_mappings", "schemas")
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_TALKATIVE: Final = ("alembic", "httpx", "httpcore")
_HOUSE: Final = Path(__file__).parent.parent
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
_log: Final = structlog.get_logger()
_direct: BinaryIO | None = None
"""Where request lines go without structlog's chain, which costs more than the rest of the line."""


def configure(level: str = "info", style: str = "json", stream: BinaryIO | None = None) -> None:
    """Send every event of this process, the standard library's too, to `stream` (stdout), one flushed line each."""
    global _direct
    console = style == "console"
    _direct = None if console or LEVELS[level] > logging.INFO else stream or sys.stdout.buffer
    last: Sequence[Processor] = (
        [_in_order, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()), _as_bytes]
        if console
        else [_in_order, _as_json]
    )
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _without_words, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stdout.buffer),
    )
    logging.basicConfig(handlers=[_Bridge()], level=LEVELS[level], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, LEVELS[level]))


def request(
    request_id: str,
    tenant: str | None,
    interaction: str,
    type_name: str | None,
    outcome: int,
    ms: float,
    *,
    is_probe: bool = False,
) -> None:
    """The line of one request: what was done to which type, with which status, in how many milliseconds."""
    if _direct is not None and not is_probe:
        line = {
            "timestamp": datetime.now(UTC), "level": "info", "event": "request", "request_id": request_id,
            "tenant": tenant, "interaction": interaction, "type": type_name, "outcome": outcome, "ms": round(ms, 2),
        }  # fmt: skip
        _direct.write(_encode(line) + b"\n")
        _direct.flush()
        return
    say = _log.debug if is_probe else _log.info
    say(
        "request", request_id=request_id, tenant=tenant, interaction=interaction, type=type_name, outcome=outcome,
        ms=round(ms, 2),
    )  # fmt: skip


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"timestamp": datetime.now(UTC), "level": event.pop("level"), "event": event.pop("event"), **event}


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return _encode(event)


def _as_bytes(_logger: WrappedLogger, _method: str, line: EventDict) -> bytes:
    return str(line).encode(errors="replace")


def _without_words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`exc_info` becomes `error`, the types of the exception and its causes, and `at`, our line that raised it."""
    info: ExcInfo | BaseException | bool | None = event.pop("exc_info", None)
    fault = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(fault, BaseException):
        event["error"] = " from ".join(_chain(fault))
        event["at"] = _place(fault.__traceback__)
    return event


def _chain(fault: BaseException) -> list[str]:
    names: list[str] = []
    seen: BaseException | None = fault
    while seen is not None and len(names) < 5:
        names.append(f"{type(seen).__module__}.{type(seen).__qualname__}".removeprefix("builtins."))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return names


def _place(trace: TracebackType | None) -> str:
    """The innermost line of ours that the exception passed, or its very origin when it passed none."""
    ours = origin = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        path = Path(code.co_filename)
        origin = f"{path.name}:{trace.tb_lineno} {code.co_name}"
        if path.is_relative_to(_HOUSE) and path.relative_to(_HOUSE).parts[0] in ROOMS:
            ours = f"{path.relative_to(_HOUSE)}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return ours or origin


class _Bridge(logging.Handler):
    """The standard library's records (uvicorn, asyncio) as events."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # asyncio's further lines quote the exception.
            line = record.getMessage().partition("\n")[0]
            level = max(
                (name for name in LEVELS if LEVELS[name] <= record.levelno), key=LEVELS.__getitem__, default="debug"
            )
            getattr(_log, level)(line, logger=record.name, exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


def failure(request_id: str) -> None:
    """The line of a defect of ours, while its exception is being handled."""
    _log.error("failure", request_id=request_id, exc_info=True)
