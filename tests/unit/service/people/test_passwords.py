"""Which passwords are refused, and that no rule but length and guessing counts."""

import pytest

from service.people import passwords
from service.people.passwords import PasswordRefused

ABOUT = ("jan.vanderberg@clinic.example", "Jan van der Berg")


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("", "too-short"),
        ("only14letters.", "too-short"),
        ("x" * 257, "too-long"),
        ("passwordpassword", "too-common"),
        ("Password1234567", "too-common"),
        ("P@ssw0rdP@ssw0rd", "too-common"),
        ("welcome-summer-2026", "too-common"),
        ("correct horse battery staple", "too-common"),
        ("aaaaaaaaaaaaaaaaaaaa", "too-common"),
        ("abcabcabcabcabcabc", "too-common"),
        ("123456789012345", "too-common"),
        ("987654321098765", "too-common"),
        ("qwertyuiopasdfgh", "too-common"),
        ("1q2w3e4r5t6y7u8i", "too-common"),
        ("Wachtwoord-Zomer-2026", "too-common"),
        ("hearthhearthhearth", "too-common"),
        ("19850312-19850312", "too-common"),
        ("Jan-van-der-Berg-2026", "about-you"),
        ("vanderberg.clinic.1", "about-you"),
        ("ﬃﬃﬃﬃﬃ", "too-common"),  # a ligature is the letters it stands for: ffi, five times
    ],
)
def test_refuses_a_password_that_is_short_or_easy_to_guess(password: str, fault: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        passwords.check(password, ABOUT)
    assert refused.value.fault == fault


def test_a_refusal_never_repeats_the_password() -> None:
    with pytest.raises(PasswordRefused) as refused:
        passwords.check("Wachtwoord-Zomer-2026", ABOUT)
    assert "zomer" not in str(refused.value).casefold()


@pytest.mark.parametrize(
    "password",
    [
        "teal onion drifts",
        "mosterd fiets wolk",
        "drei nasse wolken",
        "839201746502938",
        "ΠολύΚρυφόςΚωδικός",
        "🐘🦒🦓🐎🦌🐇🐿🦔🦇🐁🐀🐈🐕🐖🐄",
        "kvxqzhwpmgtrbnd",
        "Lamp, otter & nineteen plums",
        "".join(chr(33 + at * 7 % 90) for at in range(64)),
        "".join(chr(0x4E00 + at * 37) for at in range(256)),
    ],
)
def test_takes_any_characters_and_asks_for_no_kind_of_them(password: str) -> None:
    passwords.check(password, ABOUT)


def test_each_code_point_counts_as_one_character() -> None:
    passwords.check("𝕬ñ€字🐘abkmtwxzqpd"[:15], ())


def test_a_generated_password_is_a_good_one_and_never_the_same() -> None:
    made = {passwords.generate() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        passwords.check(password, ABOUT)


async def test_a_hash_is_argon2id_with_the_parameters_of_rfc_9106_for_little_memory() -> None:
    stored = await passwords.hashed("teal onion drifts")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.matches(stored, "teal onion drifts")
    assert not await passwords.matches(stored, "teal onion drift")
    assert not await passwords.matches(stored, "Teal onion drifts")
    assert not passwords.is_outdated(stored)


async def test_how_a_keyboard_composes_a_character_makes_no_difference() -> None:
    stored = await passwords.hashed("caf\u00e9 noir et parapluie")
    assert await passwords.matches(stored, "cafe\u0301 noir et parapluie")


async def test_nothing_is_cut_off() -> None:
    long = "ab cd ef " * 28
    stored = await passwords.hashed(long)
    assert not await passwords.matches(stored, long[:-1])
    assert not await passwords.matches(stored, long + "x")


@pytest.mark.parametrize("password", ["", "\0", "x" * 100_000, "\ud800 is half a character"])
async def test_anything_may_be_tried(password: str) -> None:
    assert not await passwords.matches(await passwords.hashed("teal onion drifts"), password)
    assert not await passwords.matches(None, password)
    assert not await passwords.matches("no hash of ours", password)
