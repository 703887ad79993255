"""What `hearth serve --demo` prints when it is ready: addresses, the demo client and one line to paste."""

from pathlib import Path
from typing import Final

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

Paste this into another terminal to get a token and read the worksheets:

  {paste}

Or play the whole journey:  {hearth} demo --base {base}
Ctrl-C stops the server.
"""


def paste(base: str, client: Credentials) -> str:
    """One line of sh that gets a token and reads something."""
    return _PASTE.format(base=base, token=TOKEN_PATH, id=client.client_id, secret=client.client_secret)


def text(settings: Settings, client: Credentials, hearth: str) -> str:
    """The whole of it; `hearth` is the path by which this command was called."""
    line = paste(settings.base_url, client)
    called = Path(hearth).absolute()  # `make run` calls it .venv/bin/hearth
    hearth = str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else called.name
    return _TEXT.format(
        base=settings.base_url, id=client.client_id, secret=client.client_secret, paste=line, hearth=hearth
    )
