"""Who may not do what: every endpoint, with every kind of token that is none, and with each scope missing that it names."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.homework.examples import Example, examples, filled
from service.errors import HearthError
from service.homework_api import ask
from service.homework_api.endpoint import Endpoint
from service.homework_api.routes import Asked, route
from service.homework_api.table import ENDPOINTS
from service.interactions.transaction import transaction

_spec = util.spec_from_file_location("playing", Path(__file__).with_name("playing.py"))
assert _spec is not None
assert _spec.loader is not None
playing: Final = util.module_from_spec(_spec)
_spec.loader.exec_module(playing)

TYPES: Final = sorted({each.partition(".")[0] for endpoint in ENDPOINTS for each in (*endpoint.scopes, *endpoint.more)})
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)


def request(endpoint: Endpoint) -> dict[str, Any]:
    """A request to the endpoint, with a body of the documents where it takes one, on ids that nothing has."""
    body = next((each.body for each in examples() if asked(each) is endpoint and each.body is not None), None)
    known = {name: "nothing" for each in examples() for name in each.keep}
    path = "/".join("nothing" if part.startswith("{") else part for part in endpoint.path.split("/"))
    headers = {"If-Match": 'W/"1"'} if endpoint.conditional else {}
    return {"method": endpoint.method, "url": path, "headers": headers} | (
        {"json": filled(body, known)} if body else {}
    )


@pytest.fixture(scope="module")
async def another(new_house: Any) -> str:
    """A token of another tenant."""
    return str(await (await new_house()).token())


@pytest.fixture(scope="module")
async def everything(shared: Any) -> httpx.AsyncClient:
    """A backend that may do everything."""
    found: httpx.AsyncClient = await shared.app()
    return found


def asked(example: Example) -> Endpoint | None:
    found = route(example.method, example.path.split("/"))
    return found.endpoint if isinstance(found, Asked) else None


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"].endswith(f"#{code}")
    assert problem["instance"] == f"urn:hearth:request:{answer.headers['x-request-id']}"


@every_endpoint
async def test_without_a_token_nothing_is_answered(shared: Any, endpoint: Endpoint) -> None:
    refused(await shared.at(None).request(**request(endpoint)), 401, "token-required")
    answer = await shared.at("garbage").request(**request(endpoint))
    refused(answer, 401, "token-required")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@every_endpoint
async def test_the_token_of_another_tenant_is_none(shared: Any, another: str, endpoint: Endpoint) -> None:
    refused(await shared.at(another).request(**request(endpoint)), 401, "token-required")


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.scopes], ids=lambda each: each.name)
@pytest.mark.parametrize("level", ["patient", "user", "system"])
async def test_a_scope_of_another_type_is_none(shared: Any, endpoint: Endpoint, level: str) -> None:
    scope = f"{level}/Flag.cruds"
    http = await {"patient": shared.robin, "user": shared.kim, "system": shared.app}[level](scope)
    refused(await http.request(**request(endpoint)), 403, "not-allowed")


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if "{" in each.path and each.scopes], ids=lambda each: each.name
)
async def test_what_is_not_there_is_not_there(shared: Any, everything: httpx.AsyncClient, endpoint: Endpoint) -> None:
    answer = await everything.request(**request(endpoint))
    if endpoint.listing and not endpoint.path.startswith("clients/"):
        assert answer.json() == {"items": []}
    else:
        refused(answer, 404, "not-found")


def without(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Each letter on each type that the endpoint says it needs."""
    for each in (*endpoint.scopes, *endpoint.more):
        name, _, letters = each.partition(".")
        yield from ((name, letter) for letter in letters)


def scope(level: str, lacking: tuple[str, str] | None) -> str:
    """Everything of each type, but for a letter of one."""
    letters = {name: "".join(each for each in "cruds" if (name, each) != lacking) for name in TYPES}
    return " ".join(f"{level}/{name}.{found}" for name, found in letters.items())


@contextmanager
def nothing_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever the homework API writes meanwhile is taken back, and answered with 500."""

    async def written(call: Any, store: Any, *given: Any) -> Any:
        async with store.transaction():
            await transaction(call, store, *given)
            raise HearthError("It would have been written")

    with monkeypatch.context() as patched:
        patched.setattr(ask, "transaction", written)
        yield


async def test_the_scopes_that_the_documents_name_are_needed_and_enough(
    practice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example is sent first with tokens that lack one letter each, then with one that has no more than is named."""
    refusing: dict[str, set[tuple[str, str]]] = {each.name: set() for each in ENDPOINTS}
    makers = {
        "client": ("patient", practice.robin),
        "therapist": ("user", practice.kim),
        "app": ("system", practice.app),
    }

    class Actor:
        """Whoever sends an example, with tokens made for it."""

        def __init__(self, name: str) -> None:
            self.level, self.make = makers[name]
            self.plain: httpx.AsyncClient | None = None

        async def request(self, method: str, path: str, headers: dict[str, str], **sent: Any) -> httpx.Response:
            found = route(method, path.partition("?")[0].split("/"))
            assert isinstance(found, Asked)
            plain = {name: value for name, value in headers.items() if name != "Idempotency-Key"}
            with nothing_written(monkeypatch):
                for lacking in without(found.endpoint):
                    http = await self.make(scope(self.level, lacking))
                    if (await http.request(method, path, headers=plain, **sent)).status_code == 403:
                        refusing[found.endpoint.name].add(lacking)
            named = (*found.endpoint.scopes, *found.endpoint.more)
            if named:
                http = await self.make(" ".join(f"{self.level}/{each}" for each in named))
            else:  # webhooks are those of one app
                http = self.plain = self.plain or await self.make(f"{self.level}/Flag.r")
            answer: httpx.Response = await http.request(method, path, headers=headers, **sent)
            return answer

    done = tuple(each for each in examples() if each.status < 400)
    async for each, answer in playing.played(done, {name: Actor(name) for name in makers}):
        assert answer.status_code == each.status, (each.title, answer.text)
    assert refusing == {each.name: set(without(each)) for each in ENDPOINTS}
