"""What `hearth serve --demo` prints when it is ready: addresses, the demo's client and people, and one line to paste."""

from pathlib import Path
from typing import Final

from service.demo.cast import Cast, Person
from service.oauth.form import Credentials
from service.settings import Settings

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - a path
# Works in any sh with curl and python3; the secret stands in no process list but the reader's own.
_PASTE: Final = (
    "TOKEN=$(curl -s -u '{id}:{secret}' -d grant_type=client_credentials {base}{token} | "
    "python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])') && "
    "curl -s -H \"Authorization: Bearer $TOKEN\" '{base}/fhir/Questionnaire?_elements=name,title&_pretty=true'"
)
_TEXT: Final = """
Hearth serves FHIR R4.

  FHIR API        {base}/fhir
  Documentation   {base}/docs
  Health          {base}/health/ready

  Demo client     client_id      {id}
                  client_secret  {secret}

{people}

They sign in at {base}/apps, where everybody sees the apps that they allowed.

Paste this into another terminal to get a token and read the worksheets:

  {paste}

Or play the whole journey:  {hearth} demo --base {base}
Ctrl-C stops the server.
"""


def paste(base: str, client: Credentials) -> str:
    """One line of sh that gets a token and reads something."""
    return _PASTE.format(base=base, token=TOKEN_PATH, id=client.client_id, secret=client.client_secret)


def text(settings: Settings, cast: Cast, hearth: str) -> str:
    """The whole of it; `hearth` is the path by which this command was called."""
    client, people = cast.backend, cast.people
    line = paste(settings.base_url, client)
    called = Path(hearth).absolute()  # `make run` calls it .venv/bin/hearth
    hearth = str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else called.name
    persons = "" if people is None else _persons((people.robin, "a client"), (people.kim, "a therapist"))
    return _TEXT.format(
        base=settings.base_url,
        id=client.client_id,
        secret=client.client_secret,
        people=persons,
        paste=line,
        hearth=hearth,
    )


def _persons(*found: tuple[Person, str]) -> str:
    rows = [f"{person.login:20}{person.password:26}{who}{_key(person)}" for person, who in found]
    return "\n".join(f"  {name:16}{row}" for name, row in zip(("Demo people", ""), rows, strict=True))


def _key(person: Person) -> str:
    return f"; {person.key} in an authenticator app" if person.key else ""
