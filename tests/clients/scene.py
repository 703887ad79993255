"""A running Hearth with the clients, persons and data that the drivers expect, all made as an operator makes them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from joserfc.jwk import ECKey, RSAKey

HEARTH: Final = (sys.executable, "-c", "from api.cli import main; main()")
START_SECONDS: Final = 60
OBSERVATIONS: Final = 7
CALLBACK: Final = "https://app.example/callback"
LAUNCH: Final = "https://app.example/launch"
HERE: Final = "http://127.0.0.1:8765/callback"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the drivers are told of, as JSON in `file`."""

    file: Path

    @staticmethod
    @contextmanager
    def opened(database_url: str | None) -> Iterator[Scene]:
        """Serve on a free port from a directory of its own; at the end both are gone."""
        directory = Path(tempfile.mkdtemp(prefix="hearth-clients-"))
        directory.chmod(0o711)  # PostgreSQL may run under another account and must get in
        house = _House(directory, database_url)
        try:
            house.start()
            file = directory / "scene.json"
            file.write_text(json.dumps(house.furnished()))
            yield Scene(file)
        finally:
            house.stop()
            shutil.rmtree(directory, ignore_errors=True)


class _House:
    def __init__(self, directory: Path, database_url: str | None) -> None:
        self.directory = directory
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self.origin = f"http://127.0.0.1:{self.port}"
        more = {"HEARTH_DATABASE_URL": database_url} if database_url else {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
        own = {"HEARTH_DATA_DIR": str(directory), "HEARTH_PORT": str(self.port), "HEARTH_SECOND_FACTOR": "optional"}
        self.environment = kept | own | more
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "log.txt").open("wb") as log:
            self.process = subprocess.Popen([*HEARTH, "serve"], env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.origin}/health/ready").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError((self.directory / "log.txt").read_text()[-2000:])

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def hearth(self, *words: str, typed: str = "") -> Any:
        """What a command prints as JSON."""
        command = [*HEARTH, *words, "--json"]
        done = subprocess.run(command, env=self.environment, input=typed, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"hearth {' '.join(words[:2])}: {done.stderr}")
        return json.loads(done.stdout)

    def client(self, name: str, scope: str, *words: str) -> dict[str, Any]:
        """A registered client; `name` says what it is for."""
        return dict(self.hearth("clients", "add", "--name", name, "--scope", scope, *words))

    def person(self, name: str, fhir_user: str) -> dict[str, Any]:
        """An account, and what its person fills in on the pages."""
        login, password = f"{name}@clinic.example", secrets.token_urlsafe(18)
        words = ("--login", login, "--name", name.title(), "--fhir-user", fhir_user, "--stdin")
        self.hearth("people", "add", *words, typed=password)
        answers = {"login": [login], "password": [password], "patient": ["robin"], "decision": ["choose", "allow"]}
        return {"fhir_user": fhir_user, "answers": answers}

    def signer(self, name: str, scope: str, key: ECKey | RSAKey, *words: str) -> dict[str, Any]:
        """A client that signs with a key; `jwks` has the private one."""
        public = self.directory / f"{name}.public.jwks"
        public.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        made = self.client(name, scope, "--jwks", str(public), *words)
        return made | {"jwks": {"keys": [key.as_dict(private=True) | {"key_ops": ["sign"]}]}}

    def furnished(self) -> dict[str, Any]:
        """The clients, two patients with Observations, one of whom has an account, and a clinician who treats that one."""
        backend = self.client("Backend", "system/*.cruds")
        with httpx.Client(base_url=self.origin, timeout=30) as http:
            secret = (backend["client_id"], backend["client_secret"])
            token = http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=secret).json()
            http.headers["Authorization"] = f"Bearer {token['access_token']}"
            for each in _records():
                http.put(f"/fhir/{each['resourceType']}/{each['id']}", json=each).raise_for_status()
        es384 = ECKey.generate_key("P-384", {"kid": "es", "alg": "ES384", "use": "sig"}, private=True)
        rs384 = RSAKey.generate_key(2048, {"kid": "rs", "alg": "RS384", "use": "sig"}, private=True)
        back = ("--redirect-uri", CALLBACK)
        launch = "launch launch/patient openid fhirUser patient/*.rs user/Task.rus"
        return {
            "base": f"{self.origin}/fhir",
            "origin": self.origin,
            "observations": OBSERVATIONS,
            "patient": "robin",
            "task": "walk",
            "callback": CALLBACK,
            "here": HERE,
            "page": str(Path(__file__).parents[2] / "docs" / "connect-your-app.md"),
            "launch": LAUNCH,
            "supporting": [sys.executable, str(Path(__file__).parent / "supporting.py")],
            "people": {
                "robin": self.person("robin", "Patient/robin"),
                "kim": self.person("kim", "Practitioner/kim"),
            },
            "backend": backend,
            "es384": self.signer("Crawler", "system/*.rs", es384),
            "rs384": self.signer("Report", "system/*.rs", rs384),
            "ehr": self.client("EHR", "__launch system/*.rs"),
            "diary": self.client(
                "Diary",
                "launch/patient openid fhirUser offline_access patient/*.rs patient/QuestionnaireResponse.c",
                "--public",
                *back,
            ),
            "try": self.client(
                "My diary",
                "launch/patient openid fhirUser offline_access patient/*.rs",
                "--public",
                "--redirect-uri",
                HERE,
            ),
            "chart": self.client("Chart", launch, *back),
            "review": self.signer("Review", launch, es384, "--launch-url", LAUNCH, *back),
        }


def _records() -> list[dict[str, Any]]:
    code = {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}
    category = [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
    ]
    patients = [
        {"resourceType": "Patient", "id": name, "name": [{"family": "Sample", "given": [name.title()]}]}
        for name in ("robin", "alex")
    ]
    team = {
        "resourceType": "CareTeam",
        "id": "team",
        "status": "active",
        "subject": {"reference": "Patient/robin"},
        "participant": [{"member": {"reference": "Practitioner/kim"}}],
    }
    task = {
        "resourceType": "Task",
        "id": "walk",
        "status": "ready",
        "intent": "order",
        "description": "Walk in the park",
        "for": {"reference": "Patient/robin"},
        "owner": {"reference": "Patient/robin"},
    }
    kim = {"resourceType": "Practitioner", "id": "kim", "name": [{"family": "Example", "given": ["Kim"]}]}
    return [*patients, kim, team, task] + [
        {
            "resourceType": "Observation",
            "id": f"{patient}-{number}",
            "status": "final",
            "code": code,
            "category": category,
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": f"2026-10-0{number + 1}",
            "valueInteger": 10 + number,
        }
        for patient, count in (("robin", OBSERVATIONS), ("alex", 2))
        for number in range(count)
    ]
