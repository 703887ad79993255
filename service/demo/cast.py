"""Who plays in the demo: a client and a therapist with passwords, their apps, the EHR, and the clinic's backend.

All are invented. What they sign in with is kept in the data directory so that it can be shown again. Never in production.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyotp

from service.oauth.form import Credentials

FILE: Final = "demo.json"
CALLBACK: Final = "http://127.0.0.1/hearth-demo"
"""Where the apps wait; a program on this machine may listen there at any port (RFC 8252, 7.3)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in: `fhir_user` is their resource, `key` that of their second factor, where they have one."""

    login: str
    password: str
    name: str
    fhir_user: str
    key: str = ""

    @property
    def answers(self) -> dict[str, list[str]]:
        """What they fill in on the pages; they allow what an app asks for."""
        answers = {"login": [self.login], "password": [self.password], "decision": ["allow"]}
        return answers | ({"code": self._codes()} if self.key else {})

    def _codes(self) -> list[str]:
        """One-time codes (RFC 6238): the last, this and the next one, since each is taken once."""
        totp, now = pyotp.TOTP(self.key), time.time()
        return [totp.at(now + number * totp.interval) for number in (-1, 0, 1)]


@dataclass(frozen=True, slots=True)
class People:
    """The persons with their apps, and the EHR that launches one of them: `diary` is Robin's, `chart` Kim's."""

    robin: Person
    kim: Person
    diary: Credentials
    chart: Credentials
    ehr: Credentials


@dataclass(frozen=True, slots=True)
class Cast:
    """The players; without people, who could sign in only where `serve --demo` made them, the backend plays all parts."""

    backend: Credentials
    people: People | None = None


def load(data_dir: Path) -> Cast | None:
    """The cast kept in `data_dir`; None when no demo was set up there."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Cast)
    except FileNotFoundError:
        return None


def save(made: Cast, data_dir: Path) -> None:
    """Keep the cast in `data_dir`, for nobody but its owner to read."""
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    with os.fdopen(os.open(data_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(made)))
