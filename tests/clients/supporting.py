"""What a client leaves to others, for its driver: a person at a browser, an EHR that launches an app, a signed assertion.

Run as `python supporting.py SCENE person WHO URL GOAL`, `... launch APP WHO` or `... assertion CLIENT`; prints one line.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from service.demo.browser import Browser


def person(scene: dict[str, Any], who: str, url: str, goal: str) -> str:
    """Where the browser is sent to in the end, once the person has signed in and allowed everything."""
    with Browser(scene["people"][who]["answers"]) as browser:
        return browser.until(who, url, goal)


def launch(scene: dict[str, Any], app: str, who: str) -> str:
    """A handle by which the EHR opens an app for one person, on the patient and an assignment."""
    form = {"grant_type": "client_credentials"}
    secret = (scene["ehr"]["client_id"], scene["ehr"]["client_secret"])
    token = httpx.post(f"{scene['origin']}/oauth/token", data=form, auth=secret).json()["access_token"]
    context = {
        "client_id": scene[app]["client_id"],
        "user": scene["people"][who]["fhir_user"],
        "patient": f"Patient/{scene['patient']}",
        "fhirContext": [{"reference": f"Task/{scene['task']}"}],
        "intent": "review-homework",
    }
    headers = {"Authorization": f"Bearer {token}"}
    return str(httpx.post(f"{scene['origin']}/oauth/launch", json=context, headers=headers).json()["launch"])


def assertion(scene: dict[str, Any], client: str) -> str:
    """A JWT that proves a client for five minutes."""
    key = KeySet.import_key_set(scene[client]["jwks"]).keys[0]
    name = scene[client]["client_id"]
    claims = {
        "iss": name,
        "sub": name,
        "aud": f"{scene['origin']}/oauth/token",
        "exp": int(time.time()) + 240,
        "jti": str(uuid4()),
    }
    algorithm = str(key.alg)
    header = {"alg": algorithm, "kid": str(key.kid), "typ": "JWT"}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


if __name__ == "__main__":
    file, what, *words = sys.argv[1:]
    print(
        {"person": person, "launch": launch, "assertion": assertion}[what](json.loads(Path(file).read_text()), *words)
    )
