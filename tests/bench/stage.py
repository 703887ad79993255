"""What the workloads are made from: the serving place with its data, and requests to it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import load
from homework import Person
from load import Script, Workload
from place import Place
from sample import Sample

from schemas import json

CALLERS = 16


@dataclass(slots=True)
class Stage:
    """A serving place, its data, and for how long the workload will run."""

    place: Place
    sample: Sample
    persons: list[Person]
    connection: load.Connection
    seconds: float
    rng: random.Random

    def get(self, path: str) -> bytes:
        return self.place.request("GET", f"/fhir/{path}")

    def get_as(self, token: str, path: str) -> bytes:
        """The same by another token's bearer."""
        return self.place.request("GET", f"/fhir/{path}", token=token)

    def post(self, path: str, body: object, **headers: str) -> bytes:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.place.request("POST", f"/fhir/{path}" if path else "/fhir", json.encode(body), named)


def over(requests: Sequence[bytes]) -> Workload:
    """All callers go round the same requests, each from a place of its own."""

    def script(number: int) -> Script:
        start = number * len(requests) // CALLERS
        for request in cycle([*requests[start:], *requests[:start]]):  # noqa: UP028 - a cycle takes no answers
            yield request

    return script
