"""Log lines: JSON with the promised fields, and never the words of an exception."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from service import logs


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.BytesIO()
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_one_line_with_its_fields_in_order(stream: io.BytesIO) -> None:
    logs.configure(stream=stream)
    logs.request("r-1", "default", "create", "Task", 201, 3.14159)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "request_id", "tenant", "interaction", "type", "outcome", "ms"]
    assert line["timestamp"].endswith("Z")
    assert {**line, "timestamp": ""} == {
        "timestamp": "", "level": "info", "event": "request", "request_id": "r-1", "tenant": "default",
        "interaction": "create", "type": "Task", "outcome": 201, "ms": 3.14,
    }  # fmt: skip


def fail() -> None:
    try:
        raise ValueError("patient Hilda Blue")
    except ValueError as fault:
        raise RuntimeError("select secret") from fault


def test_an_exception_is_told_by_type_and_place_not_by_its_words(stream: io.BytesIO) -> None:
    logs.configure(stream=stream)
    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("call_failed")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n%s", "more words")
    text = stream.getvalue().decode()
    assert "Hilda" not in text
    assert "secret" not in text
    assert "more words" not in text
    first, second = lines(stream)
    assert first["error"] == "RuntimeError from ValueError"
    assert first["at"].endswith(" fail")
    assert (second["event"], second["logger"], second["level"]) == (
        "Exception in ASGI application", "uvicorn.error", "error",
    )  # fmt: skip


async def test_what_asyncio_reports_quotes_no_exception(stream: io.BytesIO) -> None:
    logs.configure(stream=stream)
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError("patient Hilda Blue")}
    )
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert "Hilda" not in stream.getvalue().decode()


def test_logs_nothing_below_its_level(stream: io.BytesIO) -> None:
    logs.configure("warning", stream=stream)
    logs.request("r-1", "default", "read", "Task", 200, 1)
    logging.getLogger("uvicorn.error").info("Started")
    assert lines(stream) == []


def test_a_bound_request_id_is_on_every_line(stream: io.BytesIO) -> None:
    logs.configure(stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="r-7"):
        structlog.get_logger().warning("slow")
    assert lines(stream)[0]["request_id"] == "r-7"


def test_writes_text_for_a_terminal(stream: io.BytesIO) -> None:
    logs.configure(style="console", stream=stream)
    logs.request("r-1", "default", "read", "Task", 200, 1)
    assert b"interaction=read" in stream.getvalue()
