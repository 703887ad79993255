"""The launch context: how much of it each scope asks for."""

from pathlib import Path
from typing import Any

import pytest

from schemas.launch import Launch
from service.oauth import context
from service.oauth.smart import Place

PLACE = Place("https://hearth.example", "clinic-a")
TASK = {"reference": "Task/t1", "type": "Task"}
FORM = {"canonical": "https://e.org/Questionnaire/q", "type": "Questionnaire"}
WHOLE: dict[str, Any] = {
    "patient": "p1", "encounter": "e1", "fhirContext": [TASK, FORM], "intent": "x", "tenant": "clinic-a",
    "need_patient_banner": True, "smart_style_url": "https://e.org/style.json",
}  # fmt: skip


@pytest.mark.parametrize(
    ("scopes", "kept"),
    [
        (["openid"], {}),
        (["user/*.rs"], {}),
        (["launch"], WHOLE),
        (["launch/patient"], {"patient": "p1"}),
        (["patient/Task.r"], {"patient": "p1"}),
        (["launch/encounter"], {"encounter": "e1"}),
        (["launch/task"], {"fhirContext": [TASK]}),
        (["launch/questionnaire?role=urn:x"], {"fhirContext": [FORM]}),
        (["launch/task", "launch/questionnaire"], {"fhirContext": [TASK, FORM]}),
    ],
)
def test_a_scope_asks_for_its_part_of_the_context(scopes: list[str], kept: dict[str, Any]) -> None:
    assert context.narrowed(WHOLE, scopes) == kept


def test_a_launch_says_banner_style_and_tenant_at_least() -> None:
    said = context.of_launch(Launch(), PLACE)
    assert said == {
        "tenant": "clinic-a",
        "need_patient_banner": True,
        "smart_style_url": f"https://hearth.example/t/clinic-a/smart-style/{context.STYLE_VERSION}.json",
    }


def test_a_patient_is_wanted_by_name_or_by_what_is_allowed() -> None:
    assert context.wants_patient(["openid", "patient/Task.r"])
    assert context.wants_patient(["launch/patient"])
    assert not context.wants_patient(["openid", "launch", "user/Patient.rs", "launch/encounter"])


def test_the_style_is_that_of_the_pages() -> None:
    css = (Path(__file__).parents[4] / "api" / "pages" / "hearth.css").read_text()
    for name, value in context.STYLE.items():
        if name.startswith(("color", "font")):
            assert value in css, name
    assert f"--round: {context.STYLE['dim_border_radius']};" in css
    assert f"font: {int(context.STYLE['dim_font_size'].removesuffix('px')) / 16}rem/" in css
