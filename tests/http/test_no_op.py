"""An update or patch that changes nothing makes no version. https://hl7.org/fhir/R4/http.html#update"""

import json

import httpx

PATIENT = {"resourceType": "Patient", "id": "p", "active": True, "name": [{"family": "Okafor"}]}


async def versions(api: httpx.AsyncClient) -> int:
    return len((await api.get("Patient/p/_history")).json()["entry"])


async def test_the_same_body_again_makes_no_version(api: httpx.AsyncClient) -> None:
    first = await api.put("Patient/p", json=PATIENT)
    again = await api.put("Patient/p", json=PATIENT)
    assert again.status_code == 200
    assert again.content == first.content
    assert again.headers["etag"] == 'W/"1"'
    assert again.headers["last-modified"] == first.headers["last-modified"]
    assert await versions(api) == 1


async def test_what_was_read_and_sent_back_makes_no_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    read = (await api.get("Patient/p")).json()
    again = await api.put("Patient/p", json=read, headers={"If-Match": 'W/"1"'})
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')
    assert await versions(api) == 1


async def test_other_whitespace_makes_no_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    content = json.dumps(PATIENT, indent=4).encode()
    await api.put("Patient/p", content=content, headers={"Content-Type": "application/fhir+json"})
    assert await versions(api) == 1


async def test_what_was_created_by_post_and_sent_back_makes_no_version(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=PATIENT)).json()
    again = await api.put(f"Patient/{made['id']}", json=made)
    assert again.headers["etag"] == 'W/"1"'


async def test_a_patch_that_changes_nothing_makes_no_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    content = b'{"active":true}'
    again = await api.patch("Patient/p", content=content, headers={"Content-Type": "application/merge-patch+json"})
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')
    assert await versions(api) == 1


async def test_a_stale_if_match_is_refused_even_if_nothing_would_change(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    again = await api.put("Patient/p", json=PATIENT, headers={"If-Match": 'W/"9"'})
    assert again.status_code == 412


async def test_another_precision_of_a_decimal_is_a_change(api: httpx.AsyncClient) -> None:
    for number in ("1.0", "1.00"):
        body = f'{{"resourceType":"Basic","id":"b","code":{{"text":"x"}},"extension":[{{"url":"https://example.org/d","valueDecimal":{number}}}]}}'
        answer = await api.put("Basic/b", content=body.encode(), headers={"Content-Type": "application/fhir+json"})
    assert answer.headers["etag"] == 'W/"2"'


async def test_is_kept_in_the_audit_all_the_same(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await api.put("Patient/p", json=PATIENT)
    assert answer.status_code == 200
    await api.put("Patient/p", json=PATIENT | {"active": False})
    assert await versions(api) == 2


async def test_deleting_twice_makes_one_deletion(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    assert [(await api.delete("Patient/p")).status_code for _ in range(2)] == [204, 204]
    assert await versions(api) == 2
