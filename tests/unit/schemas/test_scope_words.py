"""What a scope is called: every kind, every set of letters, every language."""

from itertools import combinations

import pytest

from schemas import scope_words, words
from schemas.scopes import PERSONAL, narrow_for_person

LETTERS = ["".join(some) for size in range(1, 6) for some in combinations("cruds", size)]
EN = words.of("en")


def sentences(*scopes: str) -> list[str]:
    return [each.sentence for each in scope_words.said(scopes, EN)]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("letters", [*LETTERS, "read", "write", "*"])
def test_every_set_of_letters_has_a_sentence_for_reading_and_one_for_writing(language: str, letters: str) -> None:
    said = scope_words.said([f"patient/Task.{letters}"], words.of(language))
    is_read, is_written = set(letters) & set("rs") or letters in ("read", "*"), set(letters) & set("cud")
    kinds = [
        *(["read"] if is_read and letters != "write" else []),
        *(["write"] if is_written or letters == "*" else []),
    ]
    assert [each.kind for each in said] == (
        ["read"] if letters == "read" else ["write"] if letters == "write" else kinds
    )
    for each in said:
        assert words.of(language)["scope.type.Task"].lower() in each.sentence.lower()
        assert each.sentence[0].isupper()
        assert "{" not in each.sentence


def test_the_sentences_of_a_scope() -> None:
    assert sentences(
        "patient/Observation.rs", "patient/QuestionnaireResponse.write", "user/Task.cu", "patient/*.s"
    ) == [
        "See measures and scores",
        "Add, change and delete answers to questionnaires",
        "Add and change assignments",
        "Search everything",
    ]


def test_a_condition_is_said_in_words_where_there_are_some() -> None:
    scope = "patient/Observation.rs?category=http://x|survey,http://y|vital-signs&status=final"
    (said,) = scope_words.said([scope], EN)
    assert said.detail == "Only those with the category questionnaire or vital signs and the status final."
    (other,) = scope_words.said(["patient/Observation.rs?combo-code=http://loinc.org|44261-6"], EN)
    assert other.detail == "Only those with combo-code 44261-6."


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_personal_scope_has_a_sentence(language: str) -> None:
    said = scope_words.said([*PERSONAL, "launch/task?role=x"], words.of(language))
    assert all(each.sentence and each.level == "" for each in said)
    assert {each.kind for each in said} == {"identity", "time", "learns"}


def test_what_has_no_sentence_is_shown_by_its_name() -> None:
    assert sentences("patient/Immunization.rs", "launch/immunization", "something") == [
        "See entries of the kind “Immunization”",
        "Know what is opened with it (immunization)",
        "Something of its own (something)",
    ]


def test_a_scope_of_which_both_halves_are_chosen_is_the_one_that_was_asked() -> None:
    asked = ["patient/Task.cruds", "patient/Observation.*", "openid", "patient/Goal.read"]
    halves = [half for scope in asked for half in scope_words.halves(scope)]
    assert scope_words.whole(asked, halves) == asked
    assert scope_words.whole(asked, {"patient/Task.rs", "patient/Observation.cud", "patient/Goal.read"}) == [
        "patient/Task.rs",
        "patient/Observation.cud",
        "patient/Goal.read",
    ]
    assert scope_words.whole(asked, {"system/*.cruds", "patient/Task.cruds"}) == []


@pytest.mark.parametrize(
    "scope", ["patient/Task.cruds", "patient/*.*", "user/Observation.crs?category=http://x|survey"]
)
def test_the_halves_of_a_scope_are_given_as_part_of_it(scope: str) -> None:
    for half in scope_words.halves(scope):
        assert narrow_for_person(half, scope) == half
