"""What a history takes besides its resource. https://hl7.org/fhir/R4/http.html#history"""

import httpx

TASK = {"resourceType": "Task", "id": "one", "status": "ready", "intent": "order", "description": "Walk"}


async def test_elements_cut_each_version_and_say_so(api: httpx.AsyncClient) -> None:
    await api.put("Task/one", json=TASK)
    (entry,) = (await api.get("Task/one/_history?_elements=status")).json()["entry"]
    assert entry["resource"]["status"] == "ready"
    assert "description" not in entry["resource"]
    assert [tag["code"] for tag in entry["resource"]["meta"]["tag"]] == ["SUBSETTED"]


async def test_a_list_that_would_not_narrow_the_history_is_refused(api: httpx.AsyncClient) -> None:
    assert (await api.get("Task/_history?_list=mine")).status_code == 400
