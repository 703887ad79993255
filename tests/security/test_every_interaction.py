"""The refusal matrix: every row of the route table and every interaction, with every kind of credential that is none.

tests/cases/security/interactions.json holds an example of each; a new row without one fails here.
"""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas import dates
from service import tenants
from service.interactions.operations import BY_NAME, FHIR_JSON
from service.interactions.routes import TABLE
from service.interactions.table import INTERACTIONS
from service.oauth import clients, secret

Ask = Callable[..., Awaitable[httpx.Response]]
EXAMPLES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "cases" / "security" / "interactions.json").read_text()
)
CLOSED: Final = [example for example in EXAMPLES if not example.get("open")]
HEADS: Final = [example | {"send": "HEAD" + example["send"][3:]} for example in CLOSED if example["send"][:4] == "GET "]
every_example = pytest.mark.parametrize("example", CLOSED, ids=lambda example: example["send"])
every_request = pytest.mark.parametrize("example", CLOSED + HEADS, ids=lambda example: example["send"])


def test_every_route_has_an_example() -> None:
    routes = {f"{method} {path}" for methods, path, _ in TABLE for method in methods.split()}
    assert {example["route"] for example in EXAMPLES} == routes


def test_every_interaction_has_an_example() -> None:
    assert {example["interaction"] for example in EXAMPLES} - {"capabilities"} == set(INTERACTIONS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["send"])
async def test_the_example_works_with_what_it_needs_and_no_more(
    furnished: Any, ask: Ask, example: dict[str, Any]
) -> None:
    scope = " ".join(f"system/{name}.{letters}" for name, letters in example.get("needs", {"*": "r"}).items())
    async with furnished.client(await furnished.token(scope)) as http:
        answer = await ask(http, example)
    assert answer.status_code == example["status"], answer.text


def refused(answer: httpx.Response, error: str | None) -> None:
    """401 in the words of RFC 6750 (3) and of FHIR."""
    assert answer.status_code == 401, answer.text
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="hearth"')
    assert (f'error="{error}"' in challenge) if error else ("error=" not in challenge)
    if answer.request.method != "HEAD":
        (issue,) = answer.json()["issue"]
        assert issue["code"] == "login"
        assert issue["details"]["coding"][0]["code"] == "token-required"


@every_request
async def test_without_a_token_nothing_is_answered(elsewhere: Any, ask: Ask, example: dict[str, Any]) -> None:
    async with elsewhere.client() as http:
        refused(await ask(http, example), None)
        refused(await ask(http, example, Authorization="Basic YTpi"), None)
        refused(await ask(http, example, Authorization="Bearer"), None)
        refused(await ask(http, example, Authorization="Bearer garbage"), "invalid_token")


@every_request
async def test_the_token_of_another_tenant_is_none(
    elsewhere: Any, house: Any, ask: Ask, example: dict[str, Any]
) -> None:
    async with elsewhere.client(await house.token()) as http:
        refused(await ask(http, example), "invalid_token")


@pytest.fixture(scope="module")
async def ended(elsewhere: Any) -> dict[str, str]:
    """Tokens that have ended, by how."""
    made = {how: await elsewhere.token() for how in ("expired", "disabled", "rotated", "revoked")}
    now = dates.clock()
    async with elsewhere.app.engine.database.connection(elsewhere.tenant_id) as connection:
        owner = {how: await owned(connection, elsewhere, token) for how, token in made.items()}
        await clients.disable(connection, elsewhere.tenant_id, owner["disabled"], now)
        await clients.rotate(connection, elsewhere.tenant_id, owner["rotated"], now)
        await connection.execute(
            "update oauth_token set expires = $3 where tenant_id = $1 and client_id = $2",
            elsewhere.tenant_id, owner["expired"], now - timedelta(seconds=1),
        )  # fmt: skip
        await connection.execute(
            "update oauth_token set revoked = $3 where tenant_id = $1 and client_id = $2",
            elsewhere.tenant_id, owner["revoked"], now,
        )  # fmt: skip
    return made


async def owned(connection: Any, house: Any, token: str) -> str:
    sql = "select client_id from oauth_token where tenant_id = $1 and token_hash = $2"
    return str(await connection.fetchval(sql, house.tenant_id, secret.digest(token)))


@pytest.mark.parametrize("how", ["expired", "disabled", "rotated", "revoked"])
@every_example
async def test_a_token_that_has_ended_is_none(
    elsewhere: Any, ask: Ask, ended: dict[str, str], how: str, example: dict[str, Any]
) -> None:
    async with elsewhere.client(ended[how]) as http:
        refused(await ask(http, example), "invalid_token")


@every_request
async def test_each_letter_that_it_needs_is_needed(furnished: Any, ask: Ask, example: dict[str, Any]) -> None:
    """All other letters on the type, and all letters on every other type: 403, and nothing is done."""
    for name, letters in example["needs"].items():
        for letter in letters:
            scope = f"system/{name}.{''.join(each for each in 'cruds' if each != letter)}"
            async with furnished.client(await furnished.token(scope)) as http:
                answer = await ask(http, example)
            assert answer.status_code == 403, (letter, answer.text)
            if answer.request.method != "HEAD":
                (issue,) = answer.json()["issue"]
                assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("forbidden", "not-allowed")
    async with furnished.client(await furnished.token()) as http:
        kept = (await http.get("Patient/pat")).json()
        assert kept["meta"]["versionId"] == "2"
        assert (await http.get("Patient", params={"_summary": "count"})).json()["total"] == 2


@every_request
async def test_a_scope_of_another_type_is_none(elsewhere: Any, ask: Ask, example: dict[str, Any]) -> None:
    async with elsewhere.client(await elsewhere.token("system/Flag.cruds")) as http:
        answer = await ask(http, example)
    if example["interaction"] == "history-system":  # what may be seen, which is nothing
        assert answer.status_code == 200
        assert b"Quillfeather" not in answer.content
    else:
        assert answer.status_code == 403, answer.text


@every_example
async def test_the_other_tenants_resources_are_not_there(
    elsewhere: Any, house: Any, ask: Ask, example: dict[str, Any]
) -> None:
    """The ids are those of the other tenant: reading is 404, searching finds none, writing makes one's own."""
    async with house.client(await house.token()) as http:
        answer = await ask(http, example)
        assert answer.status_code == example.get("hidden", answer.status_code), answer.text
        assert answer.status_code < 405
        assert b"Quillfeather" not in answer.content
        if answer.status_code == 200 and answer.json()["resourceType"] == "Bundle":
            assert answer.json().get("total", 0) == 0
    async with elsewhere.client(await elsewhere.token()) as http:
        assert (await http.get("Patient/pat")).json()["meta"]["versionId"] == "2"
        assert (await http.get("Patient/other")).json()["meta"]["versionId"] == "2"


@every_example
async def test_the_entry_of_a_batch_is_refused_as_the_request_is(
    elsewhere: Any, ask: Ask, example: dict[str, Any]
) -> None:
    if example["interaction"] == "transaction" or "form" in example:
        pytest.skip("no entry of a Bundle")
    method, _, url = example["send"].partition(" ")
    request = {"method": method, "url": url}
    if "If-None-Exist" in example.get("headers", {}):
        request["ifNoneExist"] = example["headers"]["If-None-Exist"]
    entry: dict[str, Any] = {"request": request}
    if "body" in example:
        entry["resource"] = example["body"]
    if "patch" in example:
        data = b64encode(json.dumps(example["patch"]).encode()).decode()
        entry["resource"] = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
    if not url:
        pytest.skip("an entry needs an address")
    async with elsewhere.client(await elsewhere.token("system/Flag.cruds")) as http:
        batch = await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
        whole = await http.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    operation = BY_NAME.get(example["interaction"])
    is_fhir = operation is None or FHIR_JSON in operation.produces  # no other answer can stand in a Bundle
    expected = 200 if example["interaction"] == "history-system" else 403 if is_fhir else 404
    (answered,) = batch.json()["entry"]
    assert answered["response"]["status"].startswith(str(expected)), batch.text
    assert b"Quillfeather" not in batch.content + whole.content
    assert whole.status_code == expected, whole.text


async def test_revocation_is_seen_by_the_next_request_of_every_worker(house: Any, second: Any) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        client = await clients.add(connection, house.tenant_id, "test", "system/*.cruds")
    basic = (client.client_id, client.client_secret)
    origin = f"http://hearth.test/t/{house.name}/oauth"
    async with house.client() as here, replace(house, app=second).client() as there:
        answer = await here.post(f"{origin}/token", data={"grant_type": "client_credentials"}, auth=basic)
        token = answer.json()["access_token"]
        for http in (here, there):
            http.headers["Authorization"] = f"Bearer {token}"
            assert (await http.get("Patient")).status_code == 200
        revoked = await there.post(f"{origin}/revoke", data={"token": token}, auth=basic)
        assert (revoked.status_code, revoked.content) == (200, b"")
        for http in (here, there):
            refused(await http.get("Patient"), "invalid_token")


async def test_the_open_pages_are_these_and_no_others(elsewhere: Any) -> None:
    """What answers without a token; /metrics has no health data: figures by interaction and type, and no name of a tenant."""
    origin, name = "http://hearth.test", elsewhere.name
    opened = ["/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json", "/.well-known/smart-configuration",
              "/api/v1/openapi.json", f"/t/{name}/api/v1/openapi.json",
              "/fhir/metadata", f"/t/{name}/fhir/metadata", f"/t/{name}/fhir/.well-known/smart-configuration"]  # fmt: skip
    routes = {getattr(route, "path", "/") for route in elsewhere.app.web.routes}
    known = {path.replace(f"/t/{name}", "/t/{tenant}") for path in opened} | {
        "/", "/.well-known/oauth-authorization-server/t/{tenant}",
    } | {
        f"{prefix}/oauth/{name}" for prefix in ("", "/t/{tenant}")
        for name in ("token", "revoke", "introspect", "register", "par", "jwks", "authorize", "launch")
    } | {
        f"{prefix}/{page}" for prefix in ("", "/t/{tenant}")
        for page in (
            "sign-in", "sign-in/{provider}", "sign-in/{provider}/callback", "sign-out", "second-factor", "choose-patient",
            "consent", "apps", "account", "account/password", "account/second-factor", "account/sign-out-everywhere",
        )
    } | {
        f"{prefix}/calendar/{{token}}.ics" for prefix in ("", "/t/{tenant}")
    } | {
        "/pages/{version}.css"
    } | {
        f"{prefix}/smart-style/{{version}}.json" for prefix in ("", "/t/{tenant}")
    } | {
        f"{prefix}/.well-known/{name}" for prefix in ("", "/fhir", "/t/{tenant}", "/t/{tenant}/fhir")
        for name in ("smart-configuration", "openid-configuration", "oauth-authorization-server")
    }  # fmt: skip
    assert routes - {""} <= known
    async with elsewhere.app.engine.database.connection(0) as connection:
        await tenants.ensure_default(connection)
    async with elsewhere.client() as http:
        for path in opened:
            answer = await http.get(f"{origin}{path}")
            assert answer.status_code == 200, path
            assert b"Quillfeather" not in answer.content
        assert name not in (await http.get(f"{origin}/metrics")).text
