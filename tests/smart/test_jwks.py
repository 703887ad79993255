"""Keys that clients publish and register. https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys"""

import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service import public_web
from service.public_web import Document, Unreachable

smart = pytest.mark.smart
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT = {"grant_type": "client_credentials", "scope": "system/*.rs"}


def form(assertion: str) -> dict[str, str]:
    return GRANT | {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}


def refused(answer: httpx.Response) -> None:
    """The one answer to every proof that fails, which tells a guesser nothing."""
    assert answer.status_code in (400, 401), answer.text
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["cache-control"] == "no-store"


class Publisher:
    """Keys at an address, as the server fetches them; how often it did is counted."""

    def __init__(self, *keys: dict[str, Any], cache_control: str = "") -> None:
        self.keys, self.cache_control, self.asked, self.fails = list(keys), cache_control, 0, False

    async def get(self, uri: str, *_: Any, **__: Any) -> Document:
        self.asked += 1
        if self.fails:
            raise Unreachable("the answer was 500")
        return Document(json.dumps({"keys": self.keys}).encode(), self.cache_control)


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Publisher]:
    def made(*keys: dict[str, Any], **more: Any) -> Publisher:
        publisher = Publisher(*keys, **more)
        monkeypatch.setattr(public_web, "get", publisher.get)
        return publisher

    return made


def address() -> str:
    return f"https://{uuid4().hex}.example/jwks.json"


@smart("296", "339", "326")
async def test_keys_are_fetched_from_the_registered_address(clinic: Any, publish: Any) -> None:
    publisher = publish(clinic.key.jwk())
    app = await clinic.machine(jwks_uri=address())
    assert (await clinic.machine_token(app)).status_code == 200
    assert publisher.asked == 1


@smart("338")
async def test_a_jku_is_accepted_when_it_is_the_registered_one_and_refused_otherwise(clinic: Any, publish: Any) -> None:
    publisher = publish(clinic.key.jwk())
    uri = address()
    app = await clinic.machine(jwks_uri=uri)
    for wrong in (address(), uri + "/", uri + "?x=1", uri.upper()):
        refused(await clinic.post("token", form(clinic.assertion(app, header={"jku": wrong}))))
    assert publisher.asked == 0
    answer = await clinic.post("token", form(clinic.assertion(app, header={"jku": uri})))
    assert answer.status_code == 200


@smart("342", "341")
async def test_keys_are_cached_as_long_as_cache_control_says_and_no_longer(
    clinic: Any, publish: Any, later: Any
) -> None:
    publisher = publish(clinic.key.jwk(), cache_control="max-age=100")
    app = await clinic.machine(jwks_uri=address())
    for _ in range(3):
        assert (await clinic.machine_token(app)).status_code == 200
    assert publisher.asked == 1
    later(101)
    moved = clinic.assertion(app, exp=int(time()) + 300)
    assert (await clinic.post("token", form(moved))).status_code == 200
    assert publisher.asked == 2


@pytest.mark.parametrize(
    "said", ["no-store", "no-cache", "max-age=0", "private, no-store", "max-age=0, must-revalidate"]
)
@smart("341")
async def test_keys_that_may_not_be_cached_are_fetched_for_the_next_request(
    clinic: Any, publish: Any, later: Any, said: str
) -> None:
    publisher = publish(clinic.key.jwk(), cache_control=said)
    app = await clinic.machine(jwks_uri=address())
    assert (await clinic.machine_token(app)).status_code == 200
    later(1)
    assert (await clinic.machine_token(app)).status_code == 200
    assert publisher.asked == 2


@smart("341", "338")
async def test_a_key_that_was_taken_away_is_refused_once_the_cache_is_over(
    clinic: Any, publish: Any, keys: Any, later: Any
) -> None:
    publisher = publish(clinic.key.jwk(), cache_control="max-age=60")
    app = await clinic.machine(jwks_uri=address())
    assert (await clinic.machine_token(app)).status_code == 200
    publisher.keys = [keys["RS384"].jwk()]
    later(61)
    refused(await clinic.post("token", form(clinic.assertion(app, exp=int(time()) + 300))))


@smart("338", "342")
async def test_a_new_key_is_found_without_waiting_for_the_cache(
    clinic: Any, publish: Any, keys: Any, later: Any
) -> None:
    publisher = publish(clinic.key.jwk(), cache_control="max-age=300")
    app = await clinic.machine(jwks_uri=address())
    assert (await clinic.machine_token(app)).status_code == 200
    publisher.keys.append(keys["RS384"].jwk())
    later(15)
    answer = await clinic.post("token", form(clinic.assertion(app, key=keys["RS384"])))
    assert answer.status_code == 200, answer.text


@smart("338")
async def test_of_two_keys_of_one_kid_and_kind_none_is_taken(clinic: Any, publish: Any, keys: Any) -> None:
    double = keys["ES384-other"].jwk() | {"kid": clinic.key.kid}
    publish(clinic.key.jwk(), double)
    app = await clinic.machine(jwks_uri=address())
    refused(await clinic.machine_token(app))


@smart("338")
async def test_of_two_keys_of_one_kid_the_one_of_the_right_kind_is_taken(clinic: Any, publish: Any, keys: Any) -> None:
    publish(keys["RS384"].jwk() | {"kid": clinic.key.kid}, clinic.key.jwk())
    app = await clinic.machine(jwks_uri=address())
    assert (await clinic.machine_token(app)).status_code == 200


@smart("339", "340")
async def test_keys_that_cannot_be_had_are_invalid_client(clinic: Any, publish: Any) -> None:
    publisher = publish()
    publisher.fails = True
    app = await clinic.machine(jwks_uri=address())
    refused(await clinic.machine_token(app))


@smart("339")
async def test_keys_are_fetched_from_the_internet_and_not_from_the_network_of_the_server(clinic: Any) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"):
        app = await clinic.machine(jwks_uri=f"https://{host}:1/jwks.json")
        refused(await clinic.machine_token(app))


@smart("296", "297", "registered-keys", "306")
@pytest.mark.parametrize(
    "change",
    [
        {"kty": None}, {"kid": None}, {"x": None}, {"crv": None}, {"y": None}, {"d": "AQ"}, {"kty": "oct", "k": "AQ"},
        {"crv": "P-256"}, {"x": "!"}, {"kid": ""},
    ],
)  # fmt: skip
async def test_a_key_without_its_members_or_with_its_private_part_cannot_be_registered(
    clinic: Any, change: dict[str, str | None]
) -> None:
    jwk = {name: value for name, value in (clinic.key.jwk() | change).items() if value is not None}
    for sent in (
        {"jwks": {"keys": [jwk]}},
        {"jwks": {"keys": []}},
        {"jwks": {}},
        {},
        {"jwks": {"keys": [clinic.key.jwk()]}, "jwks_uri": "https://app.example/jwks"},
        {"jwks_uri": "http://app.example/jwks"},
    ):
        wanted = {"client_name": "x", "token_endpoint_auth_method": "private_key_jwt", "scope": "system/*.rs"} | sent
        async with clinic.http(await clinic.invitation("system/*.rs")) as http:
            answer = await http.post(clinic.url("register"), json=wanted)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata"), sent


@smart("297", "305", "316")
async def test_registered_keys_stay_as_they_were_sent(clinic: Any) -> None:
    keys = {"keys": [clinic.key.jwk()]}
    wanted = {
        "client_name": "x", "token_endpoint_auth_method": "private_key_jwt", "scope": "system/*.rs", "jwks": keys,
        "grant_types": ["client_credentials"],
    }  # fmt: skip
    async with clinic.http(await clinic.invitation("system/*.rs")) as http:
        answer = await http.post(clinic.url("register"), json=wanted)
        assert answer.status_code == 201, answer.text
        assert answer.json()["jwks"] == keys
        # Nobody can change them: neither by registering again nor by writing to the client's address.
        assert (
            await http.put(f"{clinic.url('register')}/{answer.json()['client_id']}", json=wanted)
        ).status_code == 404


@smart("306")
async def test_the_documentation_reminds_developers_to_send_changed_keys() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = " ".join(page.read_text() for page in docs.glob("*.md")).lower()
    assert "jwks_uri" in text
    assert any(word in text for word in ("send the new keys", "whenever your keys change", "when your keys change"))
