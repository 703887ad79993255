"""Writes of the made-up clinic, by the interactions of real use. https://hl7.org/fhir/R4/http.html"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from service.call import Call
from service.interactions.table import INTERACTIONS
from service.store import Store

JsonObject = dict[str, Any]


async def put(call: Call, store: Store, resource: JsonObject) -> None:
    """Write one resource at its own address."""
    asked = replace(call, interaction="update", type=resource["resourceType"], id=resource["id"], body=resource)
    await INTERACTIONS["update"](asked, store)


async def together(call: Call, store: Store, resources: Iterable[tuple[str, JsonObject]]) -> None:
    """Write (fullUrl, resource) in one transaction: those with an id at their address, the others as new ones."""
    entries = [_entry(url, each) for url, each in resources]
    if entries:
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        await INTERACTIONS["transaction"](replace(call, interaction="transaction", body=bundle), store)


def _entry(url: str, resource: JsonObject) -> JsonObject:
    kind = resource["resourceType"]
    named = (
        {"method": "PUT", "url": f"{kind}/{resource['id']}"} if "id" in resource else {"method": "POST", "url": kind}
    )
    return {**({"fullUrl": url} if url else {}), "resource": resource, "request": named}
