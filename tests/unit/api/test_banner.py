"""What `hearth serve --demo` prints can be pasted as it stands."""

from pathlib import Path

import pytest

from api import banner
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
    assert f"  {shown} demo " in banner.text(Settings(), Credentials("id", "secret"), called)
