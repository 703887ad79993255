"""What `hearth demo` says when a step of its journey fails; the journey itself runs in tests/worker."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.demo import journey
from service.demo.cast import Cast
from service.demo.wire import JourneyFault
from service.oauth.form import Credentials

BASE = "http://hearth.test"
CONFIGURATION = {"token_endpoint": f"{BASE}/oauth/token"}


def _play(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> list[str]:
    client = httpx.Client
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(httpx, "Client", lambda **options: client(transport=transport, **options))
    said: list[str] = []
    journey.run(BASE, Cast(Credentials("app", "secret")), said.append)
    return said


def _by_path(**answers: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        status, body = answers[request.url.path.rsplit("/", 1)[1].replace("-", "_")]
        return httpx.Response(status, json=body)

    return answer


def test_a_server_that_does_not_answer_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(JourneyFault, match=r"Getting a token: no answer from .*; is the server running\?"):
        _play(monkeypatch, refuse)


def test_a_refused_client_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = (401, {"error": "invalid_client", "error_description": "The secret is wrong."})

    with pytest.raises(JourneyFault, match=r"answered 401\. invalid_client The secret is wrong\."):
        _play(monkeypatch, _by_path(smart_configuration=(200, CONFIGURATION), token=refusal))


def test_the_sentences_of_an_outcome_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    issues = [{"code": "forbidden", "diagnostics": "The token does not allow this."}, {"code": "throttled"}]

    with pytest.raises(JourneyFault, match=r"client: the server answered 403\. The token .* this\. throttled$"):
        _play(
            monkeypatch,
            _by_path(
                smart_configuration=(200, CONFIGURATION),
                token=(200, {"access_token": "t"}),
                Patient=(403, {"resourceType": "OperationOutcome", "issue": issues}),
            ),
        )


def test_an_answer_without_json_is_a_fault_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JourneyFault, match="Getting a token: the server answered 502 without JSON"):
        _play(monkeypatch, lambda _: httpx.Response(502, text="<html>"))


@pytest.mark.parametrize("base", ["http://hearth.test", "http://hearth.test/", "http://hearth.test/fhir"])
def test_the_base_may_be_said_with_or_without_fhir(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404, json={})

    monkeypatch.setattr(f"{__name__}.BASE", base)
    with pytest.raises(JourneyFault):
        _play(monkeypatch, answer)
    assert asked == ["http://hearth.test/fhir/.well-known/smart-configuration"]
