"""Documents from one model: doses, markdown, forms, handouts and session summaries, as HTML and as PDF."""

import json
from datetime import UTC, date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from pypdf import PdfReader

from schemas import words
from schemas.library import BASE
from service.prints import dose, html, markdown, pdf
from service.prints.document import (
    Blank,
    Boxes,
    Bulleted,
    Document,
    Grid,
    Heading,
    Lines,
    Numbered,
    Quote,
    Scale,
    Section,
    Space,
    Table,
    Text,
)
from service.prints.handout import Homework, handout
from service.prints.session import session
from service.prints.summary import (
    Assigned,
    Barrier,
    ClientWords,
    MeasureChange,
    Proposal,
    RaisedFlag,
    SummaryDocument,
)
from service.prints.wording import wording
from service.prints.worksheet import worksheet

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
DOSES: list[Json] = json.loads((ROOT / "tests/cases/prints/doses.json").read_text())
LIBRARY = ROOT / "schemas" / "data" / "library"
FORMS = sorted(LIBRARY.glob("Questionnaire-*.json"))
FHIR = "http://hl7.org/fhir/StructureDefinition/"
HOSTILE = '#panic() *b* $x$ <script>alert(1)</script> `{{ 7*7 }}` \\ " & @ref <lbl> — é ü ñ ß'


def pdf_text(made: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(made)).pages).split())


@pytest.mark.parametrize(
    ("case", "language"),
    [(case, language) for case in DOSES for language in words.LANGUAGES if language in case],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value["timing"]),
)
def test_a_dose_in_words(case: Json, language: str) -> None:
    assert dose.in_words(case["timing"], wording(language)) == case[language]


def test_markdown_becomes_paragraphs_steps_and_lists() -> None:
    text = "# Why\nIt *really* helps,\n**always**.\n\n1. Sit\n2. Breathe\n   slowly\n\n- tea\n- [a page](https://x.test/a)\nend"
    assert markdown.blocks(text) == (
        Heading("Why"),
        Text("It really helps, always."),
        Numbered(("Sit", "Breathe slowly")),
        Bulleted(("tea", "a page (https://x.test/a) end")),
    )


def test_a_paragraph_after_an_empty_line_is_another_one() -> None:
    assert markdown.blocks("one\n\ntwo\n\n1. a\n\n2. b\n\nthree") == (
        Text("one"), Text("two"), Numbered(("a", "b")), Text("three"),
    )  # fmt: skip


@given(st.text(max_size=300))
def test_no_letter_or_digit_of_markdown_is_lost(text: str) -> None:
    kept = "".join(str(getattr(block, "text", getattr(block, "items", ""))) for block in markdown.blocks(text))
    letters = [each for each in text if each.isalpha()]
    assert [each for each in kept if each.isalpha()].count("é") == letters.count("é")
    assert all(each in kept for each in set(letters))


def item(kind: str, **members: Any) -> Json:
    return {"linkId": "q", "type": kind, "text": "Question?", **members}


def limits(low: int, high: int) -> Json:
    return {
        "extension": [{"url": f"{FHIR}minValue", "valueInteger": low}, {"url": f"{FHIR}maxValue", "valueInteger": high}]
    }


@pytest.mark.parametrize(
    ("asked", "block"),
    [
        (item("text"), Lines("Question?", 4)),
        (item("string", prefix="1."), Lines("1. Question?", 1)),
        (item("integer"), Blank("Question?")),
        (item("integer", **limits(0, 10)), Scale("Question?", tuple(range(11)), hint="Circle a number.")),
        (item("integer", **limits(0, 100)), Scale("Question?", tuple(range(0, 101, 10)), hint="Circle a number.")),
        (item("integer", **limits(0, 60)), Blank("Question?", hint="A number from 0 to 60.")),
        (item("integer", **limits(0, 1440)), Blank("Question?")),
        (item("boolean"), Boxes("Question?", ("Yes", "No"))),
        (item("date"), Blank("Question?", hint="Day / month / year")),
        (item("time"), Blank("Question?", hint="Hours : minutes")),
        (item("attachment"), Space("Question?", 60, "Draw here, or stick something in.")),
        (item("display"), Text("Question?")),
        (item("choice", answerOption=[{"valueString": "a"}, {"valueCoding": {"code": "b", "display": "B"}}]),
         Boxes("Question?", ("a", "B"), hint="Tick one box.")),
        (item("choice", repeats=True, answerOption=[{"valueInteger": 1}]),
         Boxes("Question?", ("1",), many=True, hint="Tick all that fit.")),
        (item("open-choice", answerOption=[{"valueString": "a"}]),
         Boxes("Question?", ("a",), hint="Tick one box.", other="Something else:")),
        (item("choice"), Lines("Question?", 1)),
        (item("quantity", extension=[{"url": f"{FHIR}questionnaire-unit", "valueCoding": {"display": "km"}}]),
         Blank("Question?", "km")),
        (item("group", text="Part", item=[item("string")]), Heading("Part")),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else type(value).__name__,
)  # fmt: skip
def test_an_item_becomes_something_to_write_on(asked: Json, block: Any) -> None:
    assert worksheet({"item": [asked]}, wording("en"))[0] == block


@pytest.mark.parametrize(
    "unseen",
    [
        {"url": f"{FHIR}questionnaire-hidden", "valueBoolean": True},
        {"url": "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression",
         "valueExpression": {"language": "text/fhirpath", "expression": "1"}},
    ],
)  # fmt: skip
def test_hidden_and_calculated_items_are_not_on_paper(unseen: Json) -> None:
    assert worksheet({"item": [item("integer", extension=[unseen])]}, wording("en")) == ()


def test_choices_among_the_same_become_a_grid_unless_one_has_a_condition() -> None:
    options = [{"valueString": "never"}, {"valueString": "often"}]
    rows = [item("choice", linkId=str(at), text=f"Q{at}", answerOption=options) for at in range(4)]
    assert worksheet({"item": rows}, wording("en")) == (
        Grid("", ("never", "often"), ("Q0", "Q1", "Q2", "Q3"), "Tick one box in each row."),
    )
    rows[1]["enableWhen"] = [{"question": "0", "operator": "exists", "answerBoolean": True}]
    assert not any(isinstance(block, Grid) for block in worksheet({"item": rows}, wording("en")))


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ({"operator": "=", "answerBoolean": True}, "Only if your answer to “First?” is: Yes."),
        ({"operator": ">", "answerInteger": 3}, "Only if your answer to “First?” is: > 3."),
        ({"operator": "exists", "answerBoolean": True}, "Only if you answered “First?”."),
        ({"operator": "exists", "answerBoolean": False}, "Only if you left “First?” empty."),
        (
            {"operator": "=", "answerCoding": {"code": "x", "display": "tea"}},
            "Only if your answer to “First?” is: tea.",
        ),
    ],
)
def test_a_condition_is_said_in_words(condition: Json, hint: str) -> None:
    first = {"linkId": "f", "type": "string", "text": "First?"}
    blocks = worksheet({"item": [first, item("string", enableWhen=[{"question": "f", **condition}])]}, wording("en"))
    assert blocks[1] == Lines("Question?", 1, hint)


def test_a_note_that_does_not_always_apply_says_when_it_does() -> None:
    first = {"linkId": "f", "type": "string", "text": "First?"}
    tea = {"question": "f", "operator": "!=", "answerCoding": {"code": "x", "display": "tea"}}
    answered = {"question": "f", "operator": "exists", "answerBoolean": True}
    note = {"linkId": "n", "type": "display", "text": "Look again.", "enableWhen": [answered, tea]}
    blocks = worksheet({"item": [first, note]}, wording("en"))
    assert blocks[1] == Text("Only if your answer to “First?” is: ≠ tea. Look again.")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_every_form_of_the_library_can_be_printed_whole(path: Path) -> None:
    form = json.loads(path.read_text())
    document = handout(Homework(form=form), "en", UTC)
    page = html.html(document).decode()
    text = pdf_text(pdf.pdf(document))

    def check(items: list[Json]) -> None:
        for each in items:
            unseen = any(
                extension["url"].endswith(("hidden", "calculatedExpression")) for extension in each.get("extension", ())
            )
            if each.get("text") and not unseen:
                said = markdown.plain(each["text"])
                assert str(escape(said)) in page
                assert "".join(said.split())[:40] in text.replace(" ", "")
            if not unseen:
                check(each.get("item", []))

    check(form["item"])
    assert form.get("copyright", "") in text or form.get("copyright", "")[:30] in text


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_nothing_that_anybody_wrote_is_read_as_markup(language: str) -> None:
    document = Document(
        title=HOSTILE,
        language=language,
        kind=HOSTILE,
        lead=HOSTILE,
        small=(HOSTILE,),
        sections=(
            Section(HOSTILE, (Text(HOSTILE), Numbered((HOSTILE,)), Bulleted((HOSTILE,)), Quote(HOSTILE, HOSTILE))),
            Section(
                "", (Boxes(HOSTILE, (HOSTILE,), hint=HOSTILE, other=HOSTILE), Scale(HOSTILE, (1, 2), HOSTILE, HOSTILE))
            ),
            Section(
                "t", (Table(HOSTILE, (HOSTILE, HOSTILE), ((HOSTILE, HOSTILE),)), Grid(HOSTILE, (HOSTILE,), (HOSTILE,)))
            ),
        ),
    )
    page = html.html(document).decode()
    assert "<script>" not in page
    assert "{{ 7*7 }}" in page
    made = pdf.pdf(document)
    assert "".join(HOSTILE.split()) in pdf_text(made).replace(" ", "")
    metadata = PdfReader(BytesIO(made)).metadata
    assert metadata is not None
    assert metadata.title == HOSTILE


@pytest.mark.parametrize(
    "text",
    [
        "日本語の宿題",
        "домашнее задание",
        "واجب منزلي",
        "\U0001f600 done",
        "a\x00\x01b",
        "x" * 500,
        "\t\r",
        "\x01",
        " ",
        "\u05c6\u05c7",
        "\u05c6\u05c9\u05c7",
        "\u065a\u065f",
        "\u06d5\u06ed",
        "\ue000\U0010ffff",
        "a\u0301\u200d\u202e",
    ],
)
def test_any_script_can_be_set(text: str) -> None:
    document = Document(text, "en", "kind", (Section(text, (Text(text), Lines(text, 1))),))
    assert pdf.pdf(document).startswith(b"%PDF-")


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_text_makes_a_pdf(text: str, items: list[str]) -> None:
    blocks = (Text(text), Numbered(tuple(items)), Boxes(text, tuple(items)), Quote(text), Scale(text, (0, 1)))
    assert pdf.pdf(Document(text or "x", "nl", text, (Section(text, blocks),))).startswith(b"%PDF-")


def test_the_same_document_is_the_same_bytes() -> None:
    document = handout(Homework(form=json.loads(FORMS[0].read_text())), "de", UTC)
    assert pdf.pdf(document) == pdf.pdf(document)
    assert html.html(document) == html.html(document)


def test_a_pdf_has_the_structure_that_a_screen_reader_reads() -> None:
    document = Document("Title", "es", "kind", (Section("Part", (Numbered(("one", "two")), Text("end"))),))
    made = PdfReader(BytesIO(pdf.pdf(document)))
    tree = str(made.root_object["/StructTreeRoot"].get_object())  # type: ignore[union-attr]
    assert "/StructTreeRoot" in tree
    assert made.root_object["/Lang"] == "es"
    kinds = {str(each.get_object().get("/S")) for each in _elements(made.root_object["/StructTreeRoot"])}
    assert {"/H1", "/H2", "/L", "/LI", "/P"} <= kinds


def _elements(node: Any) -> list[Any]:
    node = node.get_object()
    children = node.get("/K", [])
    children = children if isinstance(children, list) else [children]
    found = []
    for child in children:
        child = child.get_object() if hasattr(child, "get_object") else child
        if hasattr(child, "get") and child.get("/S"):
            found += [child, *_elements(child)]
    return found


def test_a_text_in_another_language_says_so() -> None:
    form = {"title": "Questions", "language": "en", "item": [item("string")]}
    page = html.html(handout(Homework(form=form), "de", UTC)).decode()
    assert '<html lang="de">' in page
    assert '<h1 lang="en">Questions</h1>' in page
    assert '<section lang="en">' in page


def test_materials_are_listed_with_their_addresses_but_not_the_sheet_itself() -> None:
    kind = {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "material"}]}
    task = {"input": [{"type": kind, "valueAttachment": {"title": "Recording", "url": "https://m.test/a.mp3"}}]}
    activity = {
        "title": "Relax",
        "relatedArtifact": [
            {"type": "documentation", "label": "audio", "url": "https://m.test/a.mp3"},
            {"type": "documentation", "label": "print", "display": "The handout"},
            {"type": "documentation", "label": "voice", "display": "As a voice memo"},
        ],
    }
    sections = {
        each.heading: each.blocks for each in handout(Homework(task=task, activity=activity), "en", UTC).sections
    }
    assert sections["What you can use"] == (Bulleted(("Recording (https://m.test/a.mp3)", "As a voice memo")),)


SUMMARY = SummaryDocument(
    language="en",
    client="Ada",
    until=date(2026, 3, 30),
    since=date(2026, 3, 23),
    assigned=(Assigned("Breathing", 7, 5), Assigned("Exposure", 3, 2, partly=1)),
    words=(ClientWords("It was less strange than I thought.", "What happened?", date(2026, 3, 25)),),
    barriers=(Barrier("no time", 2, "Breathing"),),
    measures=(
        MeasureChange("PHQ-9", Decimal(7), date(2026, 3, 23), "mild", Decimal(18), date(2026, 1, 5), "reliable improvement"),
    ),
    flags=(RaisedFlag("Please review item 9", date(2026, 3, 23)),),
    proposals=(Proposal("Next step", "It has become easy"),),
    discuss=("What made Thursday hard?",),
)  # fmt: skip


def test_a_session_summary_begins_with_what_cannot_wait() -> None:
    document = session(SUMMARY)
    assert [section.heading for section in document.sections] == [
        "To look at first", "Since last session", "In the client’s words", "What got in the way", "Measures",
        "What could come next", "To talk about",
    ]  # fmt: skip
    assert document.lead == "From 23 March 2026 to 30 March 2026"


def test_a_session_summary_says_numbers_with_days_and_what_they_mean() -> None:
    text = pdf_text(pdf.pdf(session(SUMMARY)))
    for said in ("7 on 23 March 2026: mild", "18 on 5 January 2026", "11 lower", "reliable improvement",
                 "Breathing: no time (2 times)", "not acknowledged yet"):  # fmt: skip
        assert said in text


def test_columns_without_anything_in_them_are_left_out() -> None:
    (table,) = session(
        SummaryDocument("en", "Ada", date(2026, 3, 30), assigned=(Assigned("Breathing", 7, 5),))
    ).sections
    assert table.blocks == (Table("Since last session", ("Homework", "Planned", "Done"), (("Breathing", "7", "5"),)),)


def test_an_empty_summary_says_that_nothing_is_recorded() -> None:
    document = session(SummaryDocument("nl", "Ada", date(2026, 3, 30)))
    assert document.sections == (Section("", (Text("Er is over deze tijd niets vastgelegd."),)),)
