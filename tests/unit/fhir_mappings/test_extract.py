"""Answers extracted: data-driven after what SDC says of definitions and templates, and what is refused."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.questionnaire import check_response, compile_questionnaire
from fhir_mappings.sdc.extract import extracted
from fhir_mappings.sdc.extraction import ExtractFault
from schemas import json
from schemas.validate import validate

CASES = json.decode((Path(__file__).parents[2] / "cases/sdc/extract.json").read_bytes())
NOW = "2026-01-12T10:00:00.000Z"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"


def made_of(form: Any, items: Any, **more: Any) -> Any:
    questionnaire = {"resourceType": "Questionnaire", "status": "active", **form}
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "authored": "2026-01-12T09:00:00Z",
        **({"item": items} if items else {}),
        **more,
    }
    compiled = compile_questionnaire(questionnaire)
    assert validate(response) == []
    assert check_response(response, compiled) == []
    numbers = count(1)
    before = json.encode(response)
    made = extracted(
        response, questionnaire, compiled, now=NOW, ids=lambda: str(next(numbers)), assembler="Device/hearth"
    )
    assert json.encode(response) == before
    return made


def entries_of(made: Any) -> list[Any]:
    if made["resourceType"] != "Bundle":
        return [{"request": {"method": "POST", "url": made["resourceType"]}, "resource": made}]
    return list(made.get("entry", ()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_extraction(case: Any) -> None:
    made = made_of(case["form"], case["items"])
    assert validate(made) == []
    found = entries_of(made)
    if "observations" in case:
        values = [(e["resource"]["code"]["coding"][0]["code"], e["resource"]["valueInteger"]) for e in found]
        assert values == [tuple(each) for each in case["observations"]]
        return
    assert [each["request"] for each in found] == [each["request"] for each in case["entries"]]
    assert [each["resource"] for each in found] == [each["resource"] for each in case["entries"]]
    for each, wanted in zip(found, case["entries"], strict=True):
        assert "fullUrl" not in wanted or each["fullUrl"] == wanted["fullUrl"]


def test_forms_of_the_cases_are_valid() -> None:
    for case in CASES:
        form = {"resourceType": "Questionnaire", "status": "active", **case["form"]}
        # A template lacks what its expressions will give.
        faults = [each for each in validate(form) if ".contained" not in each.expression[0]]
        assert faults == [], case["name"]


def test_what_belongs_to_a_saved_response_says_so_and_members_refer_to_each_other() -> None:
    observed = {"url": SDC + "observationExtract", "valueBoolean": True}
    member = {"url": SDC + "observationExtract", "valueCode": "member"}
    form = {
        "item": [
            {
                "linkId": "panel",
                "type": "group",
                "code": [{"system": "urn:x", "code": "panel"}],
                "extension": [observed],
                "item": [
                    {
                        "linkId": "a",
                        "type": "integer",
                        "code": [{"system": "urn:x", "code": "a"}],
                        "extension": [member],
                    }
                ],
            }
        ]
    }
    items = [{"linkId": "panel", "item": [{"linkId": "a", "answer": [{"valueInteger": 1}]}]}]
    panel, one = entries_of(made_of(form, items, id="qr"))
    assert panel["resource"]["hasMember"] == [{"reference": one["fullUrl"]}]
    assert panel["resource"]["derivedFrom"] == [{"reference": "QuestionnaireResponse/qr"}]
    panel, one = entries_of(made_of(form, items))
    assert "derivedFrom" not in panel["resource"]
    assert panel["resource"]["hasMember"] == [{"reference": one["fullUrl"]}]


def test_an_entry_of_a_template_that_is_none_is_refused() -> None:
    bundle = {
        "resourceType": "Bundle",
        "id": "b",
        "type": "transaction",
        "entry": [{"resource": {"resourceType": "Basic"}}],
    }
    said = {"url": SDC + "templateExtractBundle", "valueReference": {"reference": "#b"}}
    with pytest.raises(ExtractFault, match="a resource and a request"):
        made_of({"contained": [bundle], "extension": [said]}, [])


def test_a_form_that_says_nothing_of_extraction_becomes_nothing() -> None:
    made = made_of({"item": [{"linkId": "a", "type": "string"}]}, [{"linkId": "a", "answer": [{"valueString": "x"}]}])
    assert made == {"resourceType": "Bundle", "type": "transaction"}


def begins(canonical: str, **more: str) -> Any:
    inner = [{"url": "definition", "valueCanonical": canonical}]
    inner += [{"url": name, "valueString": text} for name, text in more.items()]
    return {"url": SDC + "definitionExtract", "extension": inner}


def valued(definition: str, expression: str, language: str = "text/fhirpath") -> Any:
    said = {"language": language, "expression": expression}
    inner = [{"url": "definition", "valueUri": definition}, {"url": "expression", "valueExpression": said}]
    return {"url": SDC + "definitionExtractValue", "extension": inner}


BASIC = "http://hl7.org/fhir/StructureDefinition/Basic"


@pytest.mark.parametrize(
    ("extension", "where", "why"),
    [
        ([begins("https://example.org/nobody")], "definitionExtract')", "is no type"),
        ([begins(BASIC), valued(f"{BASIC}#Basic.nothing", "'x'")], "definitionExtractValue')", "no element 'nothing'"),
        ([begins(BASIC), valued(f"{BASIC}#Basic.created", "true")], "definitionExtractValue')", "takes date"),
        ([begins(BASIC), valued("https://x#Basic.created", "today()")], "definitionExtractValue')", "No resource of"),
        ([begins(BASIC), valued(f"{BASIC}#Basic.created", "X", "text/cql")], "extension('expression')", "text/cql"),
        (
            [begins(BASIC), valued(f"{BASIC}#Basic.created", "%patient")],
            "extension('expression')",
            "%patient has no value",
        ),
        ([begins(BASIC, resourceId="'a b'")], "definitionExtract')", "none that a resource can have"),
        ([begins(BASIC, fullUrl="1 +")], "extension('fullUrl')", "no FHIRPath"),
        ([{"url": SDC + "itemExtractionContext", "valueBoolean": True}], "itemExtractionContext')", "is no type"),
        ([{"url": SDC + "targetStructureMap", "valueCanonical": "urn:m"}], "targetStructureMap')", "StructureMaps"),
        (
            [
                {
                    "url": SDC + "templateExtract",
                    "extension": [{"url": "template", "valueReference": {"reference": "#no"}}],
                }
            ],
            "templateExtract')",
            "does not contain the template",
        ),
    ],
)
def test_what_a_form_says_wrongly_is_refused_with_the_place(extension: Any, where: str, why: str) -> None:
    with pytest.raises(ExtractFault) as refused:
        made_of({"extension": extension, "item": [{"linkId": "a", "type": "string"}]}, [])
    assert refused.value.where.endswith(where)
    assert why in str(refused.value)
