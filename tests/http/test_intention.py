"""What a client may say of when and where: that, and nothing else of what they were given. Docs: docs/homework.md"""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from schemas.library import BASE
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from tests.security.circles import Clinic, to

Json = dict[str, Any]
CANONICAL: Final = f"{BASE}/Questionnaire/phq-9"


def said(*codes: str, **value: Any) -> Json:
    return {
        "type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": each} for each in codes]},
        **value,
    }


HOW: Final = said("instruction", valueMarkdown="Breathe out longer than in")
WHEN: Final = said("schedule", valueTiming={"repeat": {"dayOfWeek": ["mon"], "timeOfDay": ["19:30:00"]}})
WHERE: Final = said("setting", valueString="In the garden")
TASK: Final[Json] = {
    "resourceType": "Task", "id": "t", "status": "ready", "intent": "order", "for": to("Patient/ann"),
    "owner": to("Patient/ann"), "requester": to("Practitioner/thera"), "input": [HOW],
}  # fmt: skip


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(TASK)
    yield made
    await made.close()


async def sent(clinic: Clinic, *inputs: Json) -> httpx.Response:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    return await ann.put("Task/t", json=TASK | {"input": list(inputs)}, headers={"If-Match": 'W/"1"'})


@pytest.mark.parametrize(
    "inputs",
    [
        (WHEN,),
        (HOW, said("instruction", valueMarkdown="Or do not")),
        (HOW, said("schedule", "instruction", valueString="Or do not")),
        (HOW, said("schedule", valueCanonical=CANONICAL)),
        (HOW, said("setting", valueCanonical=CANONICAL)),
        (HOW, WHERE | {"extension": [{"url": "https://example.org/x", "valueString": "x"}]}),
        (HOW, {"type": {"text": "schedule"}, "valueString": "At noon"}),
    ],
    ids=str,
)
async def test_a_client_changes_nothing_that_they_were_given(clinic: Clinic, inputs: tuple[Json, ...]) -> None:
    answer = await sent(clinic, *inputs)
    assert answer.status_code == 403, answer.text
    assert answer.json()["issue"][0]["expression"] == ["Task.input"]


async def test_a_tenant_may_keep_it_to_the_therapist(clinic: Clinic) -> None:
    async with clinic.house.app.engine.database.connection(clinic.house.tenant_id) as connection:
        await policy.keep(connection, clinic.house.tenant_id, HomeworkPolicy(clients_schedule=False))
    assert (await sent(clinic, HOW, WHEN)).status_code == 403


async def test_a_client_says_when_and_where(clinic: Clinic) -> None:
    answer = await sent(clinic, HOW, WHEN, WHERE)
    assert answer.status_code == 200, answer.text
    assert (await clinic.system.get("Task/t")).json()["input"] == [HOW, WHEN, WHERE]
    sheet = await clinic.system.get("Task/t/$handout?_format=html&language=en")
    assert "Monday" in sheet.text
    assert "In the garden" in sheet.text
    quiet = await clinic.system.get("Task/t/$handout?_format=html&language=en&discreet=true")
    assert "In the garden" not in quiet.text
