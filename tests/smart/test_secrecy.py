"""That nothing secret is kept, told or logged, and that all that happens is in the audit. https://www.rfc-editor.org/rfc/rfc6819"""

import asyncio
import json
import logging
from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"


@smart("secrecy")
async def test_no_secret_is_stored_logged_audited_or_repeated(
    lone: Any, new_pkce: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpx", "httpcore"):  # the test's own
        caplog.set_level(logging.CRITICAL, client)
    person = lone.people["patient"]
    secrets, answers = {"password": person.password}, []
    for auth in ("none", "client_secret_basic", "private_key_jwt"):
        app, browser = await lone.app(auth=auth), lone.browser()
        verifier, challenge = new_pkce()
        landed = await lone.land(app, person, SCOPE, challenge, browser=browser)
        answers += browser.seen
        told = (await lone.redeem(app, landed.told["code"], verifier)).json()
        renewed = (await lone.refresh(app, told["refresh_token"])).json()
        answers.append(await lone.redeem(app, landed.told["code"], verifier))
        answers.append(await lone.redeem(app, landed.told["code"] + "x", verifier + "x"))
        answers.append(await lone.refresh(app, told["refresh_token"] + "x"))
        answers.append(await lone.post("introspect", {"token": told["access_token"]}, app))
        answers.append(await lone.post("revoke", {"token": renewed["access_token"]}, app))
        secrets |= {
            f"{auth} {name}": value
            for name, value in {
                "secret": app.secret, "verifier": verifier, "code": landed.told["code"], "access": told["access_token"],
                "refresh": told["refresh_token"], "id_token": told["id_token"], "renewed": renewed["access_token"],
                "cookies": next(iter(browser.http.cookies.values())),
            }.items()
            if value
        }  # fmt: skip
        for name, value in browser.http.cookies.items():
            secrets[f"{auth} cookie {name}"] = value
    machine = await lone.machine()
    assertion = lone.assertion(machine)
    secrets["assertion"] = assertion
    answers.append(await lone.post("token", {"client_assertion": assertion, "grant_type": "client_credentials"}))
    handle = await lone.launch(patient="pat")
    secrets["launch"] = handle
    answers.append(await lone.ask(lone.request(app, SCOPE, challenge, launch=handle)))
    answers.append(await lone.read(secrets["none access"], "Patient/pat"))
    told_to = "\n".join(
        f"{each.status_code} {each.text}" for each in answers if each.status_code >= 400 or not each.is_redirect
    )
    stored = await everything_stored(lone)
    out, err = capfd.readouterr()
    for name, value in secrets.items():
        assert value not in stored, f"{name} is stored in clear"
        assert value not in caplog.text + out + err, f"{name} is logged"
        assert value not in told_to, f"{name} is repeated in an answer"


async def everything_stored(clinic: Any) -> str:
    """All rows of the tenant that have to do with people, clients and the audit, as text."""
    tables = (
        "account", "account_session", "oauth_client", "oauth_token", "oauth_code", "oauth_refresh", "oauth_request",
        "oauth_launch", "oauth_authorization", "oauth_jti",
    )  # fmt: skip
    found = []
    async with clinic.connection() as connection:
        for table in tables:
            rows = await connection.fetch(
                f"select r::text as row from {table} r where tenant_id = $1", clinic.house.tenant_id
            )
            found += [row["row"] for row in rows]
    return "\n".join([*found, await audited(clinic)])


async def audited(clinic: Any) -> str:
    """All AuditEvents of the tenant, once those on their way have arrived."""
    text, before = "", None
    async with clinic.house.client(await clinic.house.token()) as http:
        while text != before:
            before = text
            await asyncio.sleep(0.3)
            answer = await http.get("AuditEvent?_count=1000&subtype:not=search-type")
            assert answer.status_code == 200, answer.text
            text = json.dumps(answer.json()["entry"])
    return text


@smart("secrecy", "rate")
async def test_every_issue_refusal_and_revocation_is_in_the_audit(lone: Any, new_pkce: Any) -> None:
    app, person = await lone.app(), lone.people["patient"]
    told = await lone.connect(app, person, SCOPE)
    await lone.land(app, person, SCOPE, new_pkce()[1], walk={"decision": "deny"})
    await lone.refresh(app, "made-up")
    await lone.post("revoke", {"token": told["access_token"]}, app)
    await lone.ask(lone.request(app, SCOPE, new_pkce()[1], redirect_uri="x"))
    text = await audited(lone)
    for kind in (
        "token-issued", "token-refused", "token-revoked", "sign-in", "consent-given", "consent-denied",
        "authorization-refused",
    ):  # fmt: skip
        assert f'"{kind}"' in text, kind
    assert app.client_id in text
