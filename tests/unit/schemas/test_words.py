"""Every sentence in every language, with the same things to be put into it; and the choice of a language."""

import re
import string
from pathlib import Path

import pytest

from schemas import words
from schemas.registry import REGISTRY
from service.people import accounts, passwords

ROOT = Path(__file__).parents[3]
OTHERS = words.LANGUAGES[1:]


def placeholders(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_in_the_order_of_english(language: str) -> None:
    assert list(words.of(language)) == list(words.of("en"))


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_takes_the_same_in_every_language(language: str) -> None:
    for name, sentence in words.of("en").items():
        assert placeholders(words.of(language)[name]) == placeholders(sentence), name


@pytest.mark.parametrize("language", OTHERS)
def test_hardly_a_sentence_is_left_in_english(language: str) -> None:
    same = [name for name, sentence in words.of("en").items() if words.of(language)[name] == sentence]
    alike = [name for name in same if " " in words.of("en")[name] and not words.of("en")[name].startswith("{")]
    assert alike == []


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_type_that_is_held_has_a_name(language: str) -> None:
    held = {each.name for each in REGISTRY.types.values() if each.storable}
    assert {f"scope.type.{name}" for name in held} <= set(words.of(language))


def test_every_sentence_is_used_and_every_one_used_is_there() -> None:
    sources = [*(ROOT / "api" / "pages").rglob("*.py"), *(ROOT / "api" / "pages").rglob("*.html")]
    sources += [ROOT / "schemas" / "scope_words.py", ROOT / "schemas" / "words.py"]
    text = "\n".join(path.read_text() for path in sources)
    made = ("scope.", "month.", "fault.", "consent.level.", "consent.read", "consent.write", "password.", "sign-in.")
    unused = [name for name in words.of("en") if f'"{name}"' not in text and not name.startswith(made)]
    assert unused == []
    told = set(re.findall(r'\bt\("([a-z][a-z.-]*[a-z])"', text)) | set(re.findall(r'said\["([a-z.-]+)"\]', text))
    assert told <= set(words.of("en"))


PARTS = sorted(path.name for path in (ROOT / "schemas" / "data" / "words").iterdir() if path.is_dir())


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("part", PARTS)
def test_what_a_part_of_the_service_says_it_says_in_every_language(part: str, language: str) -> None:
    english, other = words.part(part, "en"), words.part(part, language)
    assert list(other) == list(english)
    for name, sentence in english.items():
        assert placeholders(other[name]) == placeholders(sentence), name


def test_the_reasons_against_a_password_have_sentences() -> None:
    for fault in ("too-short", "too-long", "too-common", "about-you", "unchanged"):
        assert passwords.PasswordRefused(fault).fault == fault  # type: ignore[arg-type]
        assert f"password.{fault}" in words.of("en")


def test_accounts_can_have_the_languages_of_the_pages() -> None:
    assert accounts.LANGUAGES == words.LANGUAGES


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("nl", "nl"), ("NL-be", "nl"), ("fr", "en"), ("fr, de;q=0.1", "de"), ("es;q=0.2, de;q=0.9", "de"),
        ("es;q=0, nl;q=0.1", "nl"), ("de;q=x, es;q=0.5", "es"), ("*", "en"), ("de;q=nan", "en"), (",;,=", "en"),
        ("en, es", "en"), ("xx," * 50 + "es", "en"),
    ],
)  # fmt: skip
def test_the_language_that_a_browser_likes_best(accepted: str, language: str) -> None:
    assert words.preferred(accepted) == language


@pytest.mark.parametrize(
    ("language", "date", "said"),
    [
        ("en", "1987-05-04", "4 May 1987"), ("es", "1987-05-04", "4 de mayo de 1987"), ("nl", "1987-05", "mei 1987"),
        ("de", "1987-05-04T10:00:00Z", "4. Mai 1987"), ("en", "1987", "1987"), ("en", "soon", "soon"),
        ("en", "1987-13-01", "1987-13-01"), ("en", "", ""),
    ],
)  # fmt: skip
def test_a_date_is_as_precise_as_it_is_recorded(language: str, date: str, said: str) -> None:
    assert words.date(words.of(language), date) == said
