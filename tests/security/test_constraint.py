"""A scope with a search behind it, `system/Observation.rs?code=...`: the rule holds on every way to a row."""

from typing import Any

import httpx
import pytest

OPEN, SHUT = "urn:codes|open", "urn:codes|shut"
SCOPE = f"system/Observation.cruds?code={OPEN} system/Patient.rs?gender=female"


def observation(name: str | None, code: str, subject: str = "woman", **more: Any) -> dict[str, Any]:
    system, _, value = code.partition("|")
    body = {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": system, "code": value}]},
        "subject": {"reference": f"Patient/{subject}"},
    }  # fmt: skip
    return body | ({"id": name} if name else {}) | more


@pytest.fixture
async def limited(house: Any) -> Any:
    """A client that may see open Observations and women, in a tenant that has shut ones and a man as well."""
    async with house.client(await house.token()) as http:
        for name, gender in (("woman", "female"), ("man", "male")):
            body = {"resourceType": "Patient", "id": name, "gender": gender, "name": [{"family": name}]}
            assert (await http.put(f"Patient/{name}", json=body)).status_code == 201
        for name, code in (("open", OPEN), ("shut", SHUT)):
            assert (await http.put(f"Observation/{name}", json=observation(name, code))).status_code == 201
        body = observation("hers", OPEN) | {"hasMember": [{"reference": "Observation/shut"}]}
        assert (await http.put("Observation/hers", json=body)).status_code == 201
        assert (await http.put("Observation/his", json=observation("his", OPEN, "man"))).status_code == 201
    async with house.client(await house.token(SCOPE)) as http:
        yield http


@pytest.fixture
async def master(house: Any, limited: Any) -> Any:
    """A client of the same tenant that may do everything."""
    async with house.client(await house.token()) as http:
        yield http


async def names(http: httpx.AsyncClient, query: str) -> list[str]:
    answer = await http.get(query)
    assert answer.status_code == 200, answer.text
    return sorted(entry["resource"]["id"] for entry in answer.json().get("entry", []))


@pytest.mark.parametrize("path", ["", "/_history/1", "/_history", "/$meta", "/$validate"])
async def test_reads_what_the_constraint_finds_and_nothing_else(limited: httpx.AsyncClient, path: str) -> None:
    assert (await limited.get(f"Observation/open{path}")).status_code == 200
    assert (await limited.get(f"Observation/shut{path}")).status_code == 404
    assert (await limited.get(f"Patient/woman{path}")).status_code == 200
    assert (await limited.get(f"Patient/man{path}")).status_code == 404


async def test_searches_and_counts_what_the_constraint_finds(limited: httpx.AsyncClient) -> None:
    assert await names(limited, "Observation") == ["hers", "his", "open"]
    assert await names(limited, f"Observation?code={SHUT}") == []
    assert await names(limited, f"Observation?code:not={OPEN}") == []
    assert await names(limited, "Observation?_id=shut,open") == ["open"]
    assert await names(limited, "Observation?_sort=-_lastUpdated&_total=accurate") == ["hers", "his", "open"]
    for mode in ("_summary=count", "_total=accurate"):
        assert (await limited.get(f"Observation?{mode}")).json()["total"] == 3
        assert (await limited.get(f"?_type=Observation,Patient&{mode}")).json()["total"] == 4
    assert await names(limited, "Patient/woman/Observation") == ["hers", "open"]


async def test_pages_on_within_the_constraint(limited: httpx.AsyncClient) -> None:
    seen, url = [], "Observation?_count=1"
    while url:
        bundle = (await limited.get(url)).json()
        seen += [entry["resource"]["id"] for entry in bundle.get("entry", [])]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    assert sorted(seen) == ["hers", "his", "open"]


async def test_includes_only_what_it_could_find(limited: httpx.AsyncClient) -> None:
    assert await names(limited, "Observation?_include=Observation:subject") == ["hers", "his", "open", "woman"]
    assert await names(limited, "Observation?_include=*") == ["hers", "his", "open", "woman"]
    assert await names(limited, "Observation?_id=hers&_include=Observation:has-member") == ["hers"]
    assert await names(limited, "Patient?_revinclude=Observation:subject") == ["hers", "open", "woman"]
    everything = await names(limited, "Patient/woman/$everything")
    assert everything == ["hers", "open", "woman"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Observation?subject:Patient.family=woman", ["hers", "open"]),
        ("Observation?subject:Patient.family=man", []),
        ("Observation?subject:Patient.gender=male", []),
        ("Observation?has-member:Observation.code=urn:codes|shut", []),
        ("Patient?_has:Observation:subject:code=urn:codes|open", ["woman"]),
        ("Patient?_has:Observation:subject:code=urn:codes|shut", []),
        ("Patient?_has:Observation:subject:_has:Observation:has-member:code=urn:codes|open", []),
    ],
)
async def test_a_chain_passes_only_what_may_be_searched(
    limited: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    assert await names(limited, query) == found


async def test_a_chain_through_a_type_without_scope_finds_nothing(house: Any, limited: httpx.AsyncClient) -> None:
    async with house.client(await house.token("system/Observation.rs")) as http:
        assert await names(http, "Observation") == ["hers", "his", "open", "shut"]
        for query in (
            "Observation?subject:Patient.family=woman", "Observation?subject:Patient.family:missing=false",
            "Observation?subject:Patient._id=woman",
        ):  # fmt: skip
            answer = await http.get(query)
            assert answer.status_code == 403 or answer.json().get("entry", []) == [], query
        assert await names(http, "Observation?_include=*") == ["hers", "his", "open", "shut"]
    async with house.client(await house.token("system/Patient.rs")) as http:
        answer = await http.get("Patient?_has:Observation:subject:code=urn:codes|open")
        assert answer.status_code == 403 or answer.json().get("entry", []) == []
        assert await names(http, "Patient?_revinclude=Observation:subject") == ["man", "woman"]
        assert await names(http, "Patient/woman/$everything") == ["woman"]


async def test_histories_have_only_what_it_could_find(limited: httpx.AsyncClient, master: httpx.AsyncClient) -> None:
    for path in ("_history", "Observation/_history"):
        found = await names(limited, path)
        assert "shut" not in found
        assert "man" not in found
        assert {"open", "hers", "his"} <= set(found)
    await master.delete("Observation/shut")
    left = (await limited.get("Observation/_history")).json()["entry"]
    assert not [entry for entry in left if entry["fullUrl"].endswith("/shut")]
    assert (await limited.get("Observation/shut")).status_code == 404


async def test_creates_only_what_the_constraint_covers(limited: httpx.AsyncClient, master: httpx.AsyncClient) -> None:
    assert (await limited.post("Observation", json=observation(None, OPEN))).status_code == 201
    refused = await limited.post("Observation", json=observation(None, SHUT))
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (403, "forbidden")
    assert (await limited.put("Observation/new", json=observation("new", SHUT))).status_code == 403
    assert await names(master, f"Observation?code={SHUT}") == ["shut"]
    assert (await master.get("Observation/new")).status_code == 404


async def test_updates_only_from_and_to_what_the_constraint_covers(
    limited: httpx.AsyncClient, master: httpx.AsyncClient
) -> None:
    out = observation("open", SHUT)
    assert (await limited.put("Observation/open", json=out)).status_code == 403
    patch = [{"op": "replace", "path": "/code/coding/0/code", "value": "shut"}]
    kind = {"Content-Type": "application/json-patch+json"}
    assert (await limited.patch("Observation/open", json=patch, headers=kind)).status_code == 403
    stolen = observation("shut", OPEN)
    assert (await limited.put("Observation/shut", json=stolen)).status_code == 404
    assert (await limited.patch("Observation/shut", json=[], headers=kind)).status_code == 404
    assert (await limited.delete("Observation/shut")).status_code == 404
    assert (await limited.put(f"Observation?code={SHUT}", json=observation(None, SHUT))).status_code == 403
    for name in ("open", "shut"):
        assert (await master.get(f"Observation/{name}")).json()["meta"]["versionId"] == "1"
    assert (await limited.put("Observation/open", json=observation("open", OPEN, "man"))).status_code == 200
    assert (await limited.delete("Observation/open")).status_code == 204


async def test_a_condition_sees_only_what_may_be_searched(
    limited: httpx.AsyncClient, master: httpx.AsyncClient
) -> None:
    made = await limited.post("Observation", json=observation(None, OPEN), headers={"If-None-Exist": f"code={SHUT}"})
    assert made.status_code == 201
    assert (await limited.delete(f"Observation?code={SHUT}")).status_code == 204
    assert (await master.get("Observation/shut")).status_code == 200


async def test_a_transaction_is_rolled_back_by_its_one_row_too_far(
    limited: httpx.AsyncClient, master: httpx.AsyncClient
) -> None:
    entries = [
        {"request": {"method": "POST", "url": "Observation"}, "resource": observation(None, OPEN)},
        {"request": {"method": "POST", "url": "Observation"}, "resource": observation(None, SHUT)},
    ]
    before = (await master.get("Observation?_summary=count")).json()["total"]
    whole = await limited.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert whole.status_code == 403, whole.text
    assert (await master.get("Observation?_summary=count")).json()["total"] == before
    entries.append({"request": {"method": "GET", "url": "Observation/shut"}})
    entries.append({"request": {"method": "DELETE", "url": "Observation/shut"}})
    each = await limited.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [entry["response"]["status"][:3] for entry in each.json()["entry"]] == ["201", "403", "404", "404"]


async def test_what_is_seen_but_not_to_be_changed_is_forbidden(house: Any, limited: httpx.AsyncClient) -> None:
    scope = f"system/Observation.rs system/Observation.ud?code={OPEN}"
    async with house.client(await house.token(scope)) as http:
        assert (await http.get("Observation/shut")).status_code == 200
        for answer in (
            await http.delete("Observation/shut"),
            await http.put("Observation/shut", json=observation("shut", OPEN)),
            await http.patch("Observation/shut", json=[], headers={"Content-Type": "application/json-patch+json"}),
        ):
            assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "forbidden")


async def test_a_patch_tells_nothing_that_may_not_be_read(house: Any, limited: httpx.AsyncClient) -> None:
    scope = f"system/Observation.u system/Observation.r?code={OPEN}"
    async with house.client(await house.token(scope)) as http:
        kind = {"Content-Type": "application/merge-patch+json"}
        assert (await http.patch("Observation/shut", json={}, headers=kind)).status_code == 404
        assert (await http.patch("Observation/open", json={}, headers=kind)).status_code == 200


@pytest.mark.parametrize(
    "query", ["nothing=x", "code:nothing=x", "date=never", "code:in=urn:a-value-set", "subject.nothing=x"]
)
async def test_a_constraint_that_cannot_be_understood_allows_nothing(house: Any, limited: Any, query: str) -> None:
    async with house.client(await house.token(f"system/Observation.cruds?{query}")) as http:
        assert (await http.get("Observation/open")).status_code == 404
        assert await names(http, "Observation") == []
        assert await names(http, "Observation/_history") == []
        assert (await http.post("Observation", json=observation(None, OPEN))).status_code == 403
        assert (await http.delete("Observation/open")).status_code == 404


async def test_a_list_that_may_not_be_read_selects_nothing(house: Any, master: httpx.AsyncClient) -> None:
    listed = {"resourceType": "List", "id": "lst", "status": "current", "mode": "working",
              "entry": [{"item": {"reference": "Patient/woman"}}]}  # fmt: skip
    assert (await master.put("List/lst", json=listed)).status_code == 201
    assert await names(master, "Patient?_list=lst") == ["woman"]
    async with house.client(await house.token("system/Patient.rs")) as http:
        answer = await http.get("Patient?_list=lst")
        assert answer.status_code == 403 or answer.json().get("entry", []) == []
