"""Health, metrics, request ids and the log line of every request."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from service import logs

ORIGIN = "http://hearth.test"


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """What is logged meanwhile, as the server logs it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.BytesIO()
    logs.configure("debug", "json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def lines(log: io.BytesIO, event: str = "request") -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def figures(api: httpx.AsyncClient, name: str) -> dict[tuple[str, ...], float]:
    """A metric's samples by their labels' values, in the order of the labels' names."""
    answer = await api.get(f"{ORIGIN}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {"hearth_requests", "hearth_request_seconds", "hearth_connections", "hearth_feed_age_seconds",
            "hearth_audit_spool_bytes"} <= set(families)  # fmt: skip
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in families[name].samples
        if not sample.name.endswith("_created")
    }


async def test_metrics_count_requests_by_interaction_type_and_status(api: httpx.AsyncClient) -> None:
    before = await figures(api, "hearth_requests")
    await api.get("Flag/nobody")
    await api.get("Flag/nobody")
    await api.get("Flag")
    after = await figures(api, "hearth_requests")
    assert after["read", "404", "Flag"] == before.get(("read", "404", "Flag"), 0) + 2
    assert after["search-type", "200", "Flag"] == before.get(("search-type", "200", "Flag"), 0) + 1


async def test_no_name_that_a_caller_made_up_becomes_a_label(house: Any, api: httpx.AsyncClient) -> None:
    for http in (api, house.client()):
        for path in (
            "Madeup/1",
            "Madeup",
            "Patient/1/Madeup",
            "Madeup/1/Task",
            "$madeup",
            "_madeup",
            "Patient/$madeup",
        ):
            await http.get(path)
    await api.request("MADEUP", "Patient")
    await api.get(f"{ORIGIN}/t/madeup/fhir/Patient")
    text = (await api.get(f"{ORIGIN}/metrics")).text
    assert "adeup" not in text
    assert house.name not in text


async def test_gauges_tell_connections_and_the_age_of_the_feed(house: Any, api: httpx.AsyncClient) -> None:
    connections = await figures(api, "hearth_connections")
    assert connections["busy",] + connections["idle",] >= 1
    async with house.app.engine.database.connection(house.tenant_id) as connection, connection.transaction():
        await connection.execute("select pg_current_xact_id()")
        ((age),) = (await figures(api, "hearth_feed_age_seconds")).values()
        assert 0 <= age < 60


async def test_live_and_ready(api: httpx.AsyncClient) -> None:
    for path in ("live", "ready"):
        answer = await api.get(f"{ORIGIN}/health/{path}", headers={"Authorization": ""})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_is_not_ready_while_reads_cannot_be_audited(
    house: Any, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.put("Patient/pat", json={"resourceType": "Patient", "id": "pat"})
    monkeypatch.setattr(house.app.engine.spool, "_limit", 0)
    ready = await api.get(f"{ORIGIN}/health/ready")
    read = await api.get("Patient/pat")
    for answer in (ready, read):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["issue"][0]["code"] == "transient"
    assert (await api.get(f"{ORIGIN}/health/live")).status_code == 200


@pytest.mark.parametrize("path", ["{base}/Patient", "{base}/nothing/at/all/here", "/health/live", "/nowhere", "/docs"])
async def test_echoes_the_request_id_or_makes_one(house: Any, api: httpx.AsyncClient, path: str) -> None:
    address = path.format(base=house.base) if path.startswith("{") else ORIGIN + path
    given = (await api.get(address, headers={"X-Request-Id": "a-1.b_2:c"})).headers["x-request-id"]
    assert given == "a-1.b_2:c"
    made = (await api.get(address)).headers["x-request-id"]
    assert str(UUID(made)) == made


@pytest.mark.parametrize("sent", ["", "a b", "a\tb", "é", "a" * 65, "a;b", "<a>", "a%0d%0ab", '"a"', "a,b"])
async def test_a_request_id_that_could_do_harm_is_replaced(house: Any, api: httpx.AsyncClient, sent: str) -> None:
    for address in (f"{house.base}/Patient", f"{ORIGIN}/health/live"):
        answer = await api.get(address, headers=[(b"X-Request-Id", sent.encode())])
        assert str(UUID(answer.headers["x-request-id"]))


async def test_one_line_a_request_says_what_was_done(house: Any, api: httpx.AsyncClient, log: io.BytesIO) -> None:
    await api.get("Patient/nobody", headers={"X-Request-Id": "r-1"})
    (line,) = lines(log)
    assert line.pop("timestamp").endswith("Z")
    assert 0 < line.pop("ms") < 10_000
    assert line == {
        "level": "info", "event": "request", "request_id": "r-1", "tenant": house.name, "interaction": "read",
        "type": "Patient", "outcome": 404,
    }  # fmt: skip


async def test_requests_beside_the_fhir_api_have_their_line_too(
    house: Any, api: httpx.AsyncClient, log: io.BytesIO
) -> None:
    """Tokens above all: who tries secrets must show in the log."""
    await api.post(f"{ORIGIN}/t/{house.name}/oauth/token", data={"grant_type": "x"}, headers={"X-Request-Id": "r-1"})
    await api.get(f"{ORIGIN}/health/live")
    await api.get(f"{ORIGIN}/nowhere/Madeup")
    await api.get(".well-known/smart-configuration")
    found = lines(log)
    assert [(line["interaction"], line["outcome"]) for line in found] == [
        ("token", 400), ("live", 200), ("unknown", 404), ("smart-configuration", 200),
    ]  # fmt: skip
    assert (found[0]["request_id"], found[0]["tenant"]) == ("r-1", house.name)
    assert b"adeup" not in log.getvalue()


async def test_what_a_caller_makes_up_is_in_no_line(house: Any, api: httpx.AsyncClient, log: io.BytesIO) -> None:
    for path in ("Madeup/1", "Patient/Madeup", "Patient?family=Madeup", "Patient?madeup=1", "Patient/1/Madeup"):
        await api.get(path, headers={"X-Madeup": "Madeup", "X-Request-Id": "r"})
    await api.get(f"{ORIGIN}/t/Madeup/fhir/Patient")
    await api.get(f"{ORIGIN}/t/madeup/fhir/Patient")
    await api.get(f"{ORIGIN}/t/madeup/fhir/metadata")
    assert len(lines(log)) == 8
    assert b"adeup" not in log.getvalue()


async def test_a_defect_of_ours_is_500_with_the_id_under_which_it_is_logged(
    house: Any, api: httpx.AsyncClient, log: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise ZeroDivisionError("Quillfeather")

    monkeypatch.setattr("service.store.Store.read", fail)
    answer = await api.get("Patient/pat", headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-1")
    assert answer.json()["issue"][0]["code"] == "exception"
    (line,) = lines(log, "failure")
    assert (line["request_id"], line["error"]) == ("r-1", "ZeroDivisionError")
    assert line["at"].startswith("service/interactions/read.py:")
    assert "Quillfeather" not in answer.text
    assert b"Quillfeather" not in log.getvalue()


async def test_a_defect_in_a_batch_is_its_entrys_alone(
    house: Any, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before it was written and must not be answered with 500."""

    async def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("service.store.Store.vread", fail)
    basic = {"resourceType": "Basic", "code": {"text": "x"}}
    entries = [
        {"request": {"method": "POST", "url": "Basic"}, "resource": basic},
        {"request": {"method": "GET", "url": "Basic/x/_history/1"}},
        {"request": {"method": "POST", "url": "Basic"}, "resource": basic},
    ]
    answer = await api.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]] == ["201", "500", "201"]


async def test_a_refusal_is_one_outcome_whatever_is_accepted(house: Any, api: httpx.AsyncClient) -> None:
    for path in ("Patient/nobody", f"{ORIGIN}/nowhere"):
        answer = await api.get(path, headers={"Accept": "text/html,*/*;q=0.1"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "If-Match", "If-None-Exist", "Idempotency-Key"])
async def test_a_header_that_must_be_one_is_refused_twice(api: httpx.AsyncClient, name: str) -> None:
    authorization = ("Authorization", api.headers["authorization"])
    sent = [authorization, (name, "a"), (name.lower(), "b")]
    answer = await api.post("Basic", json={"resourceType": "Basic", "code": {"text": "x"}}, headers=sent)
    assert answer.status_code == 400, answer.text
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "header-repeated"
    twice = [authorization, ("Accept", "application/fhir+json"), ("Accept", "text/plain"), ("Prefer", "return=minimal")]
    assert (await api.get("Basic", headers=twice)).status_code == 200


async def test_no_answer_may_be_kept_by_others(house: Any, api: httpx.AsyncClient) -> None:
    for path in ("Patient", "Patient/nobody", "metadata"):
        answer = await api.get(path)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_client_of_another_tenant_does_not_show(house: Any, new_house: Any, log: io.BytesIO) -> None:
    other = await new_house()
    async with replace(house).client(await other.token()) as http:
        assert (await http.get("Patient", headers={"X-Request-Id": uuid4().hex})).status_code == 401
    assert {line["tenant"] for line in lines(log)} <= {house.name, other.name, None}
