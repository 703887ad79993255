"""An authorization request under way: what an app asked, and how far the person has got with it.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from service.oauth.clients import Client
from service.oauth.parameters import RedirectFault, Wanted, refusal
from service.oauth.smart import Place
from service.people.sessions import Session


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request under way.

    `launched` is the context that an EHR opened the app with, None where none did, and `fhir_user` who alone may answer then.
    `account_id` is set once somebody signed in, `patient` once they chose one, `remembered` when they need not be asked for
    consent again.
    """

    client: Client
    place: Place
    wanted: Wanted
    created: datetime
    launched: Mapping[str, Any] | None = None
    fhir_user: str | None = None
    account_id: UUID | None = None
    patient: str | None = None
    remembered: bool = False

    @property
    def context(self) -> dict[str, Any]:
        """What the app is opened on: what the EHR said, and the patient chosen where it said none."""
        return ({} if self.patient is None else {"patient": self.patient}) | dict(self.launched or {})

    @property
    def redirect_uri(self) -> str:
        """Where the answer goes."""
        return self.wanted.redirect_uri

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the client asks for and may have."""
        return self.wanted.scopes

    @property
    def state(self) -> str:
        """The client's, to be sent back."""
        return self.wanted.state

    @property
    def login_hint(self) -> str | None:
        """Whom the client expects to sign in."""
        return self.wanted.login_hint

    @property
    def silent(self) -> bool:
        """Whether no page may be shown (prompt=none)."""
        return "none" in self.wanted.prompts

    def accepts(self, session: Session) -> bool:
        """Whether the sign-in of the session is recent enough for what the client asked (prompt=login, max_age)."""
        if "login" in self.wanted.prompts and session.created < self.created:
            return False
        age = self.wanted.max_age
        return age is None or session.created >= self.created - timedelta(seconds=age)

    def refused(self, error: str, description: str) -> RedirectFault:
        """The fault that tells the client."""
        return refusal(self.place, self.redirect_uri, self.state, error, description)


@dataclass(frozen=True, slots=True)
class _Begun:
    place: Place
    wanted: Wanted
    launched: dict[str, Any] | None
    fhir_user: str | None


@dataclass(frozen=True, slots=True)
class _Steps:
    account_id: UUID | None = None
    patient: str | None = None
    remembered: bool = False


def begun(asked: Asked) -> str:
    """What is stored of the request when it begins."""
    launched = None if asked.launched is None else dict(asked.launched)
    return msgspec.json.encode(_Begun(asked.place, asked.wanted, launched, asked.fhir_user)).decode()


def steps(asked: Asked) -> str:
    """What is stored of it at each step of the person."""
    return msgspec.json.encode(_Steps(asked.account_id, asked.patient, asked.remembered)).decode()


def read(client: Client, created: datetime, begun: str, steps: str) -> Asked:
    """The request that was stored."""
    first = msgspec.json.decode(begun, type=_Begun)
    then = msgspec.json.decode(steps, type=_Steps)
    return Asked(
        client=client,
        place=first.place,
        wanted=first.wanted,
        created=created,
        launched=first.launched,
        fhir_user=first.fhir_user,
        account_id=then.account_id,
        patient=then.patient,
        remembered=then.remembered,
    )
