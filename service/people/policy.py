"""What somebody who signed in still has to do before the sign-in counts."""

from typing import Final, Literal

from service.people.accounts import Account
from service.people.sessions import Session

Step = Literal["second-factor", "change-password", "set-up-second-factor"]
Required = Literal["optional", "practitioners", "everybody"]
"""Who needs a second factor: settings.second_factor."""
_PRACTITIONER: Final = "Practitioner/"


def step(account: Account, session: Session, required: Required) -> Step | None:
    """The next step of the sign-in; None when it is complete, and only then the person may do anything else."""
    if account.has_second_factor and not session.second_factor:
        return "second-factor"
    if account.must_change_password:
        return "change-password"
    if not session.second_factor and needs_second_factor(account, required):
        return "set-up-second-factor"
    return None


def needs_second_factor(account: Account, required: Required) -> bool:
    """Whether the account may not be without a second factor."""
    return required == "everybody" or (required == "practitioners" and account.fhir_user.startswith(_PRACTITIONER))
