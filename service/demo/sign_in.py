"""An app of the demo gets a token from a person who signs in, by code and PKCE, or for itself.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from service.demo.browser import Browser
from service.demo.cast import CALLBACK, Person
from service.demo.wire import JourneyFault, JsonObject, body, discovered, send
from service.oauth.form import Credentials

LAUNCH: Final = "__launch"
"""What an EHR's token needs to launch apps."""


def for_itself(http: httpx.Client, step: str, root: str, client: Credentials, scope: str) -> JsonObject:
    """The token answer of a client that speaks for itself."""
    form = {"grant_type": "client_credentials", "scope": scope}
    url = discovered(http, step, root)["token_endpoint"]
    return body(step, send(http, step, "POST", url, data=form, auth=(client.client_id, client.client_secret)))


def for_person(
    http: httpx.Client, step: str, root: str, app: Credentials, person: Person, scope: str, launch: str | None = None
) -> JsonObject:
    """The token answer of an app that the person signs in to; `launch` is the handle where an EHR opened it."""
    found, verifier, state = discovered(http, step, root), secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "scope": scope,
        "state": state,
        "aud": root,
        "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    } | ({} if launch is None else {"launch": launch})
    with Browser(person.answers) as browser:
        back = browser.until(step, f"{found['authorization_endpoint']}?{urlencode(asked)}", CALLBACK)
    told = dict(parse_qsl(urlsplit(back).query))
    if "error" in told:
        raise JourneyFault(f"{step}: {told['error']}. {told.get('error_description', '')}")
    if (told.get("state"), told.get("iss")) != (state, found["issuer"]):
        raise JourneyFault(f"{step}: the answer is not to this request, or from another server")
    form = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
    }
    if not app.client_secret:  # a public app: its name is all it can say
        return body(step, send(http, step, "POST", found["token_endpoint"], data=form | {"client_id": app.client_id}))
    secret = (app.client_id, app.client_secret)
    return body(step, send(http, step, "POST", found["token_endpoint"], data=form, auth=secret))


def launched(
    http: httpx.Client,
    step: str,
    root: str,
    ehr: Credentials,
    app: Credentials,
    person: Person,
    patient: str,
    task: str,
) -> str:
    """The handle by which the EHR opens an app for one person, on a patient and an assignment."""
    token = for_itself(http, step, root, ehr, f"{LAUNCH} system/*.rs")["access_token"]
    context = {
        "client_id": app.client_id,
        "user": person.fhir_user,
        "patient": patient,
        "fhirContext": [{"reference": task}],
    }
    url = f"{discovered(http, step, root)['issuer']}/oauth/launch"
    headers = {"Authorization": f"Bearer {token}"}
    return str(body(step, send(http, step, "POST", url, json=context, headers=headers))["launch"])
