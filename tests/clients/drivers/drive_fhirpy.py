"""fhirpy: search with paging, count, create, update and patch with a token. https://github.com/beda-software/fhir-py"""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, OperationOutcome, ResourceNotFound

SCENE = json.loads(Path(sys.argv[1]).read_text())


async def posted(path: str, **form: str) -> bytes:
    """fhirpy leaves OAuth to its user."""
    client = aiohttp.BasicAuth(SCENE["backend"]["client_id"], SCENE["backend"]["client_secret"])
    async with aiohttp.ClientSession(auth=client) as http, http.post(f"{SCENE['origin']}{path}", data=form) as answer:
        answer.raise_for_status()
        return await answer.read()


async def main() -> None:
    told = await posted("/oauth/token", grant_type="client_credentials", scope="system/*.cruds")
    token = json.loads(told)["access_token"]
    client = AsyncFHIRClient(SCENE["base"], authorization=f"Bearer {token}")

    mine = client.resources("Observation").search(patient=SCENE["patient"])
    found = await mine.sort("-date").limit(2).fetch_all()
    dates = [each["effectiveDateTime"] for each in found]
    assert len(found) == SCENE["observations"], found
    assert dates == sorted(dates, reverse=True), dates
    print("search with paging")
    assert await mine.count() == SCENE["observations"]
    print("count")

    task = client.resource("Task", status="requested", intent="order", description="Walk", priority="routine")
    await task.save()
    assert task.id
    task["status"] = "ready"
    await task.save()
    assert (await client.reference("Task", task.id).to_resource())["status"] == "ready"
    print("create, read and update")
    patched = await client.patch("Task", task.id, description="Walk in the park", priority=None)
    assert patched["description"] == "Walk in the park"
    assert "priority" not in patched
    await task.save(fields=["status"])
    print("merge patch")
    await task.delete()
    try:
        await client.reference("Task", task.id).to_resource()
    except (ResourceNotFound, OperationOutcome):
        print("delete")
    else:
        raise AssertionError("The Task is still there")

    await posted("/oauth/revoke", token=token)
    try:
        await mine.fetch()
    except AuthorizationError:
        print("AuthorizationError after revocation")
    else:
        raise AssertionError("A revoked token still reads")


asyncio.run(main())
