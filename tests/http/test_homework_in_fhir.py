"""docs/homework-in-fhir.md works as it stands: every example is written, in its order, and every question has an answer."""

import json
import re
from pathlib import Path
from typing import Any, Final

import httpx

from schemas import library
from tests.security.circles import Clinic

PAGE: Final = Path(__file__).parents[2] / "docs" / "homework-in-fhir.md"
BLOCK: Final = re.compile(r"^```(json|http)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


async def test_every_example_is_written_and_every_question_has_an_answer(house: Any, api: httpx.AsyncClient) -> None:
    clinic = Clinic(house, api)
    robin = await clinic.as_person("Patient/robin", "patient/*.cruds", patient="robin")
    library_bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"request": {"method": "POST", "url": each["resourceType"]}, "resource": each} for each in library.seed()
        ],
    }
    assert (await api.post("", json=library_bundle)).status_code == 200
    asked = written = 0
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "json":
            # What is for oneself is written by oneself.
            written += await _write(robin if "client-only" in text else api, json.loads(text))
            continue
        for line in text.splitlines():
            answer = await api.get(line.removeprefix("GET "))
            assert answer.status_code == 200, line
            assert answer.json().get("entry"), f"{line} finds nothing"
            asked += 1
    assert written >= 20
    assert asked > 18
    await clinic.close()


async def _write(api: httpx.AsyncClient, resource: dict[str, Any]) -> int:
    answer = await api.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.status_code in (200, 201), f"{resource['id']}: {answer.text}"
    return 1
