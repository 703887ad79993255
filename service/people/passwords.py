"""Passwords: which are good enough, and what is kept of them. https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver

Hashes are argon2id with the parameters for little memory of RFC 9106, section 4: three passes over 64 MiB.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from service.errors import TooManyRequests, Unprocessable
from service.people import common_passwords

LENGTH_LEAST: Final = 15
"""What NIST asks of a password that may be the only factor. One rule for all, so that no order of steps gets around it."""
LENGTH_MOST: Final = 256
AT_ONCE: Final = 2
"""How many are hashed at once in a worker: 64 MiB and some tenths of a second of CPU for each."""
WAITING_MOST: Final = 8
"""How many more wait. Each holds a connection to the database; more than that would starve the rest of the worker."""
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look like another
_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_THREADS: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")

Fault = Literal["too-short", "too-long", "too-common", "about-you", "unchanged"]
_SENTENCES: Final[dict[Fault, str]] = {
    "too-short": f"The password needs at least {LENGTH_LEAST} characters; three or four words are easy to remember",
    "too-long": f"The password may have at most {LENGTH_MOST} characters",
    "too-common": "This password is easy to guess: it is a common one, or little more than common words, years and rows of "
    "keys; use words that have nothing to do with each other",
    "unchanged": "The new password is the old one",
    "about-you": "The password is little more than your name, your login or the name of this service; use other words",
}


class PasswordRefused(Unprocessable):
    """The password is not good enough; `fault` says why, for a page in the person's own language."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(_SENTENCES[fault], expression=("password",))
        self.fault = fault


def normalised(password: str) -> str:
    """The password as it is hashed: however a keyboard composes its characters, they are the same."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, context: Collection[str] = ()) -> None:
    """Raises PasswordRefused. `context` are words about the person: login, name.

    No characters of certain kinds are asked for, and none are refused.
    """
    text = normalised(password)
    if len(text) < LENGTH_LEAST:
        raise PasswordRefused("too-short")
    if len(text) > LENGTH_MOST:
        raise PasswordRefused("too-long")
    if common_passwords.is_common(text):
        raise PasswordRefused("too-common")
    if common_passwords.is_common(text, context):
        raise PasswordRefused("about-you")


def generate() -> str:
    """A password for once, as it can be read out: five groups of four, 99 random bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5))


async def hashed(password: str) -> str:
    """What is stored of a password: algorithm, parameters, salt and hash in one text. Raises TooManyRequests."""
    return str(await _run(partial(_HASHER.hash, _bytes(password))))


async def matches(stored: str | None, password: str) -> bool:
    """Whether `stored` is of this password. The work is the same where nothing is stored. Raises TooManyRequests."""
    return bool(await _run(partial(_verified, stored, _bytes(password))))


def is_outdated(stored: str) -> bool:
    """Whether it was hashed with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    # One that is too long is nobody's: what is left of it takes the same time and is as wrong.
    return normalised(password[: 4 * LENGTH_MOST]).encode("utf-8", "surrogatepass")


def _verified(stored: str | None, password: bytes) -> bool:
    nobodys = _nobodys()
    try:
        return _HASHER.verify(stored or nobodys, password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """A hash of no password, to be compared where there is none."""
    return _HASHER.hash(secrets.token_bytes(32))


_under_way = 0


def require_room() -> None:
    """Raises TooManyRequests when so many wait that one more could not be let in."""
    if _under_way >= AT_ONCE + WAITING_MOST:
        raise TooManyRequests("Many people are signing in right now; try again in a few seconds", retry_after=3)


async def _run(work: Any) -> Any:
    global _under_way
    require_room()
    _under_way += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
    finally:
        _under_way -= 1
