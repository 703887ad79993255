"""The links of a search over several types, and what clients put before a sort key. https://hl7.org/fhir/R4/http.html#search"""

import httpx


async def test_the_next_page_of_a_search_by_type_has_those_types_only(api: httpx.AsyncClient) -> None:
    for name in ("Patient", "Practitioner", "Location"):
        for _ in range(2):
            (await api.post(name, json={"resourceType": name})).raise_for_status()
    url: str | None = f"{api.base_url}?_type=Patient,Location&_count=1"
    seen = []
    while url is not None:
        bundle = (await api.get(url)).raise_for_status().json()
        seen += [entry["resource"]["resourceType"] for entry in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    assert sorted(seen) == ["Location"] * 2 + ["Patient"] * 2


async def test_a_plus_before_a_sort_key_is_ignored_encoded_or_not(api: httpx.AsyncClient) -> None:
    for key in ("+birthdate", "%2Bbirthdate", "birthdate"):
        assert (await api.get(f"Patient?_sort={key}")).status_code == 200
