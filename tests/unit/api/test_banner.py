"""What `hearth serve --demo` prints can be pasted as it stands."""

from pathlib import Path

import pytest

from api import banner
from service.demo.cast import Cast, People, Person
from service.oauth.form import Credentials
from service.settings import Settings


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        (".venv/bin/hearth", ".venv/bin/hearth"),
        (str(Path.cwd() / ".venv" / "bin" / "hearth"), ".venv/bin/hearth"),
        ("/usr/local/bin/hearth", "hearth"),
    ],
)
def test_the_demo_is_called_as_the_server_was(called: str, shown: str) -> None:
    assert f"  {shown} demo " in banner.text(Settings(), Cast(Credentials("id", "secret")), called)


def test_who_can_sign_in_is_told_with_the_password() -> None:
    client = Credentials("id", "")
    robin = Person("robin@demo.example", "correct-horse", "Robin Sample", "Patient/robin")
    kim = Person("kim@demo.example", "battery-staple", "Kim Example", "Practitioner/kim", "ABCD")
    told = banner.text(Settings(), Cast(client, People(robin, kim, client, client, client)), "hearth")
    assert "  Demo people     robin@demo.example  correct-horse" in told
    assert (
        "                  kim@demo.example    battery-staple            a therapist; ABCD in an authenticator app"
        in told
    )
