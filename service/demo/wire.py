"""HTTP as the programs of the demo speak it: JSON in and out, and a fault that says which step failed and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from schemas import json
from service.errors import HearthError

JsonObject = dict[str, Any]
SECONDS: Final = 30


class JourneyFault(HearthError):
    """A step of the journey failed."""


@dataclass(frozen=True, slots=True)
class Server:
    """The FHIR API at `root`, with the access token of one program."""

    http: httpx.Client
    root: str
    token: str

    def get(self, step: str, path: str, **params: str) -> JsonObject:
        """Read or search."""
        return self._ask(step, "GET", path, params=params)

    def post(self, step: str, path: str, resource: Mapping[str, Any]) -> JsonObject:
        """Create, or with an empty path send a Bundle; what was made."""
        return self._ask(step, "POST", path, content=json.encode(resource))

    def put(self, step: str, path: str, resource: Mapping[str, Any]) -> JsonObject:
        """Change what was read, as the version that was read; what it is then."""
        return self._ask(step, "PUT", path, content=json.encode(resource), version=resource["meta"]["versionId"])

    def numbers(self, step: str, path: str, **params: str) -> JsonObject:
        """What an operation that draws says in JSON."""
        return self._ask(step, "GET", path, params={**params, "_format": "application/json"}, accept="application/json")

    def _ask(
        self,
        step: str,
        method: str,
        path: str,
        version: str | None = None,
        accept: str = "application/fhir+json",
        **more: Any,
    ) -> JsonObject:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        if version is not None:
            headers["If-Match"] = f'W/"{version}"'
        if method != "GET":
            headers["Content-Type"] = "application/fhir+json"
            headers["Prefer"] = "return=representation"
        url = f"{self.root}/{path}" if path else self.root
        return body(step, send(self.http, step, method, url, headers=headers, **more))


def send(http: httpx.Client, step: str, method: str, url: str, **more: Any) -> httpx.Response:
    """The answer, whatever its status. Raises JourneyFault where there is none."""
    try:
        return http.request(method, url, **more)
    except httpx.HTTPError as fault:
        raise JourneyFault(f"{step}: no answer from {url} ({type(fault).__name__}); is the server running?") from fault


def body(step: str, answer: httpx.Response) -> JsonObject:
    """The JSON of a good answer; of any other one, the sentences that say why, as a JourneyFault."""
    try:
        found: JsonObject = json.decode(answer.content)
    except json.JsonFault as fault:
        raise JourneyFault(f"{step}: the server answered {answer.status_code} without JSON") from fault
    if answer.is_success:
        return found
    sentences = [issue.get("diagnostics", issue.get("code", "")) for issue in found.get("issue", ())]
    sentences += [str(found[name]) for name in ("error", "error_description", "detail") if name in found]
    sentences += [f"{each.get('pointer', '')} {each['detail']}" for each in found.get("errors", ())]
    raise JourneyFault(f"{step}: the server answered {answer.status_code}. {' '.join(sentences)}")


def discovered(http: httpx.Client, step: str, root: str) -> JsonObject:
    """Where the server's OAuth endpoints are."""
    return body(step, send(http, step, "GET", f"{root}/.well-known/smart-configuration"))
