"""A resource in the language of who reads it: a pure function over the translations that stand beside the texts."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import library
from schemas.library import localised
from schemas.translation import TRANSLATION, claimed, texts

RESOURCES = list(library.seed())
WORDS = library.translations()


def _translation(language: str, content: str, name: str = "valueString") -> dict[str, Any]:
    return {
        "url": TRANSLATION,
        "extension": [{"url": "lang", "valueCode": language}, {"url": "content", name: content}],
    }


def _titled(*translations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Questionnaire",
        "language": "en",
        "title": "Day",
        "_title": {"extension": [*translations]},
        **more,
    }


SPANISH, GERMAN, BRAZILIAN = _translation("es", "Día"), _translation("de", "Tag"), _translation("pt-BR", "Dia")


@pytest.mark.parametrize(
    ("asked", "title", "language"),
    [
        ("es", "Día", "es"),
        ("es-MX", "Día", "es"),
        ("ES-mx", "Día", "es"),
        ("es-Latn-MX", "Día", "es"),
        ("pt-BR", "Dia", "pt-BR"),
        ("pt-br", "Dia", "pt-BR"),
        ("pt", "Day", "en"),  # a narrower one is not what was asked for
        ("en", "Day", "en"),
        ("en-GB", "Day", "en"),
        ("fr", "Day", "en"),
        ("", "Day", "en"),
    ],
)
def test_the_nearest_language_that_is_there_is_put_in_place(asked: str, title: str, language: str) -> None:
    made = localised(_titled(SPANISH, GERMAN, BRAZILIAN), asked)

    assert made == {"resourceType": "Questionnaire", "language": language, "title": title}


def test_the_exact_language_is_preferred_to_the_wider_one() -> None:
    mexican = _translation("es-MX", "El día")

    assert localised(_titled(SPANISH, mexican), "es-MX")["title"] == "El día"
    assert localised(_titled(SPANISH, mexican), "es-MX")["language"] == "es-MX"
    assert localised(_titled(SPANISH, mexican), "es-AR")["title"] == "Día"


def test_each_text_falls_back_by_itself() -> None:
    item = {"linkId": "a", "type": "string", "text": "Why?"}
    half = _titled(SPANISH, item=[item, {**item, "_text": {"extension": [_translation("es", "¿Por qué?")]}}])

    assert [each["text"] for each in localised(half, "es")["item"]] == ["Why?", "¿Por qué?"]


def test_what_else_stands_beside_a_text_stays() -> None:
    rendering = {"url": "http://hl7.org/fhir/StructureDefinition/rendering-markdown", "valueMarkdown": "**Day**"}
    resource = _titled(SPANISH, rendering)
    resource["_title"]["id"] = "t1"

    assert localised(resource, "es")["_title"] == {"id": "t1", "extension": [rendering]}


def test_a_text_that_is_only_there_in_another_language_is_taken_from_it() -> None:
    resource = {"resourceType": "Questionnaire", "_title": {"extension": [SPANISH]}}

    assert localised(resource, "es") == {"resourceType": "Questionnaire", "title": "Día", "language": "es"}
    assert localised(resource, "de") == {"resourceType": "Questionnaire"}


def test_texts_in_a_list_keep_their_places() -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"given": ["Ann", "Mary"], "_given": [None, {"extension": [_translation("es", "María")]}]}],
    }

    assert localised(patient, "es")["name"] == [{"given": ["Ann", "María"]}]


def test_markdown_may_be_said_as_markdown() -> None:
    assert localised(_titled(_translation("es", "**Día**", "valueMarkdown")), "es")["title"] == "**Día**"


@pytest.mark.parametrize(
    "broken",
    [
        {"url": TRANSLATION},
        {"url": TRANSLATION, "extension": [{"url": "lang", "valueCode": "es"}]},
        {"url": TRANSLATION, "extension": [{"url": "content", "valueString": "Día"}]},
        {"url": TRANSLATION, "valueString": "Día"},
    ],
)
def test_a_translation_without_language_or_content_is_as_none(broken: dict[str, Any]) -> None:
    assert localised(_titled(broken), "es")["title"] == "Day"


def test_codes_are_named_by_their_designations() -> None:
    (system,) = (each for each in RESOURCES if each["url"].endswith("/homework-barrier"))
    said = {concept["code"]: concept for concept in localised(system, "nl-BE")["concept"]}

    assert said["time"]["display"] == "Te weinig tijd"
    assert all("designation" not in concept for concept in said.values())
    assert {concept["code"]: concept["display"] for concept in localised(system, "fr")["concept"]} == {
        concept["code"]: concept["display"] for concept in system["concept"]
    }


LANGUAGES = [(resource, tag) for resource in RESOURCES for tag in sorted(claimed(resource) - {"en"})]


@given(st.sampled_from(LANGUAGES), st.sampled_from(["", "-MX", "-1996"]))
def test_what_the_library_says_in_a_language_is_all_in_it(chosen: tuple[dict[str, Any], str], region: str) -> None:
    resource, tag = chosen
    before = deepcopy(resource)
    made = localised(resource, tag + region)

    assert resource == before
    assert made["language"] == tag
    assert list(texts(made)) == [WORDS[tag][text] for text in texts(resource)]
    assert localised(made, "en") == made


@given(st.sampled_from(RESOURCES), st.sampled_from(["en", "fr", "nl"]))
def test_an_unknown_language_leaves_the_original(resource: dict[str, Any], language: str) -> None:
    if resource["resourceType"] != "CodeSystem":
        assert list(texts(localised(resource, language))) == list(texts(resource))
        assert localised(resource, language).get("language") == resource.get("language")
