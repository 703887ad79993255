"""fhirclient for Python: a patient's standalone launch, an EHR launch, a backend with RS384. https://github.com/smart-on-fhir/client-py

It finds the endpoints in the CapabilityStatement alone.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from fhirclient import client
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.models.questionnaireresponse import QuestionnaireResponse
from fhirclient.models.task import Task
from fhirclient.server import FHIRUnauthorizedException

SCENE = json.loads(Path(sys.argv[1]).read_text())


def supporting(*words: str) -> str:
    """What others do, such as the person at the browser."""
    command = [*SCENE["supporting"], sys.argv[1], *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def app(name: str, scope: str, **more: Any) -> client.FHIRClient:
    """A client of its own for a registered app, as far as the person's sign-in."""
    settings = {"app_id": SCENE[name]["client_id"], "api_base": SCENE["base"], "scope": scope} | more
    made = client.FHIRClient(settings=settings | {"redirect_uri": SCENE["callback"]})
    assert made.prepare() is False
    return made


def standalone() -> None:
    smart = app("diary", "openid fhirUser offline_access patient/*.rs patient/QuestionnaireResponse.c")
    assert smart.handle_callback(supporting("person", "robin", smart.authorize_url, SCENE["callback"])) is None
    assert smart.ready
    assert smart.patient.id == SCENE["patient"]
    print("standalone launch of a public app with PKCE")

    found = Observation.where({"_count": "3", "_sort": "date"}).perform_resources(smart.server)
    assert len(found) == SCENE["observations"], [each.id for each in found]
    assert {each.subject.reference for each in found} == {f"Patient/{SCENE['patient']}"}
    assert [each.id for each in Patient.where({}).perform_resources(smart.server)] == [SCENE["patient"]]
    print("read and search with paging as the patient")

    answer = QuestionnaireResponse({"status": "in-progress", "subject": {"reference": f"Patient/{SCENE['patient']}"}})
    assert answer.create(smart.server)["id"]
    print("create")

    before = smart.server.auth.access_token
    smart.reauthorize()
    assert smart.server.auth.access_token != before
    assert Patient.read(SCENE["patient"], smart.server).id == SCENE["patient"]
    print("refresh")

    form = {"token": smart.server.auth.refresh_token, "client_id": SCENE["diary"]["client_id"]}
    requests.post(f"{SCENE['origin']}/oauth/revoke", data=form, timeout=30).raise_for_status()
    try:
        Patient.read(SCENE["patient"], smart.server)
    except FHIRUnauthorizedException:
        print("FHIRUnauthorizedException after revocation")
    else:
        raise AssertionError("A revoked authorization still reads")


def from_the_ehr() -> None:
    scope, secret = "openid fhirUser patient/*.rs user/Task.rs", SCENE["chart"]["client_secret"]
    smart = app("chart", scope, launch_token=supporting("launch", "chart", "kim"), app_secret=secret)
    smart.handle_callback(supporting("person", "kim", smart.authorize_url, SCENE["callback"]))
    assert smart.patient.id == SCENE["patient"]
    assert smart.launch_context["intent"] == "review-homework", smart.launch_context
    assert Task.read(SCENE["task"], smart.server).status == "ready"
    print("EHR launch of an app with a secret, with its context")


def backend() -> None:
    smart = app("rs384", "system/*.rs", jwt_token=supporting("assertion", "rs384"))
    smart.authorize()
    found = Observation.where({"patient": SCENE["patient"], "_count": "4"}).perform_resources(smart.server)
    assert len(found) == SCENE["observations"]
    print("backend service by private_key_jwt with RS384")


def documented() -> None:
    """The program of the developers' page, with somebody to open the address that it prints."""
    program = re.findall(r"^```python\n(.*?)^```", Path(SCENE["page"]).read_text(), re.DOTALL | re.MULTILINE)[0]
    told = {"HEARTH": SCENE["origin"], "APP": SCENE["try"]["client_id"]}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", program], env=os.environ | told, **pipes) as running:
        address = running.stdout.readline().strip().rpartition(" ")[2]
        out, _ = running.communicate(supporting("person", "robin", address, SCENE["here"]) + "\n", timeout=60)
    assert running.returncode == 0, out
    assert "Homework of Robin Sample\n- Walk in the park" in out, out
    print("the program of docs/connect-your-app.md")


standalone()
from_the_ehr()
backend()
documented()
