import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.fhirpath import (
    LONGEST,
    NODES,
    Environment,
    ExpressionFault,
    environment,
    evaluate,
    holds,
    text_of,
)
from schemas import json

CASES: dict[str, Any] = json.decode((Path(__file__).parents[2] / "cases/sdc/fhirpath.json").read_bytes())
NOW = "2026-01-12T10:00:00.000Z"


def env() -> Environment:
    return environment(NOW, resource=CASES["response"], patient=CASES["patient"], n=5, none=[])


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["expression"])
def test_an_expression_says_what_it_should(case: Any) -> None:
    found = evaluate(case["expression"], CASES["response"], env(), "here")
    assert [[each.type, each.data] for each in found] == case["is"]
    assert json.encode([each.data for each in found]) == json.encode([value for _, value in case["is"]])


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["expression"][:60])
def test_what_cannot_be_evaluated_is_refused_in_time_and_named(case: Any) -> None:
    began = time.monotonic()
    with pytest.raises(ExpressionFault) as refused:
        evaluate(case["expression"], CASES["response"], env(), "Questionnaire.item[3]")
    assert time.monotonic() - began < 10
    assert case["why"] in refused.value.why
    assert refused.value.where == "Questionnaire.item[3]"
    assert case["expression"][:100] in str(refused.value)


def test_no_fault_repeats_the_data_it_looked_at() -> None:
    secret = {"resourceType": "Patient", "name": [{"family": "Hush"}]}
    with pytest.raises(ExpressionFault) as refused:
        evaluate("%patient.name.family + 3", secret, environment(NOW, patient=secret), "here")
    assert "Hush" not in str(refused.value)


def test_a_very_long_expression_is_refused_unread() -> None:
    with pytest.raises(ExpressionFault, match="longer than"):
        evaluate("1" * (LONGEST + 1), [], env(), "here")


def test_more_than_can_be_looked_at_is_refused() -> None:
    with pytest.raises(OverflowError):
        environment(NOW, resource={"resourceType": "Basic", "extension": [{"url": "x"}] * NODES})


def test_all_expressions_of_one_piece_of_work_share_its_steps() -> None:
    shared = env()
    before = shared.budget.steps
    evaluate("item.item.linkId", CASES["response"], shared.with_variables(x=1), "here")
    assert shared.budget.steps < before


def test_few_steps_that_take_long_are_ended_too() -> None:
    contained = [{"resourceType": "Basic", "code": {"text": str(number)}} for number in range(4_000)]
    large = {"resourceType": "Basic", "contained": contained}
    shared = environment(NOW, resource=large)
    shared.budget.seconds = 0.2
    text = "(" + " | ".join(["%resource"] * 60) + ").count()"
    began = time.thread_time()
    with pytest.raises(ExpressionFault, match="more time than"):
        evaluate(text, large, shared, "here")
    assert time.thread_time() - began < 3
    with pytest.raises(ExpressionFault, match="more time than"):
        evaluate("1 + 1 + 1 + 1", large, shared, "here")


def test_only_true_holds_and_empty_does_not() -> None:
    assert holds("1 = 1", [], env(), "here")
    assert not holds("{}", [], env(), "here")
    with pytest.raises(ExpressionFault, match="true or false"):
        holds("'yes'", [], env(), "here")


@pytest.mark.parametrize("language", ["text/cql", "application/x-fhir-query", "text/javascript", None])
def test_another_language_is_refused_by_its_name(language: str | None) -> None:
    with pytest.raises(ExpressionFault, match=f"expressions in {language} are not evaluated here"):
        text_of({"language": language, "expression": "1"}, "here")


def test_the_engine_is_loaded_when_the_first_expression_comes() -> None:
    script = "import sys, fhir_mappings.fhirpath; assert 'fhirpathpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
