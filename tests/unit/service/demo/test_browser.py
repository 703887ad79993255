"""The person at a browser fills in the forms that they have answers for, and says what a page says when they are stuck."""

from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pytest

from service.demo.browser import Browser, Page
from service.demo.wire import JourneyFault

GOAL = "https://app.example/done"
SIGN_IN = """<title>Sign in</title><style>p {}</style><p role=alert>Welcome</p>
<form action="/search"><input name=q></form>
<form method=post action="/sign-in?ask=1"><input type=hidden name=csrf value=c><input name=login>
<input type=password name=password>
<input type=checkbox name=stay value=yes checked><input type=checkbox name=other><button>Sign in</button></form>"""
CONSENT = """<form method=post><input type=checkbox name=scope value=a checked><input type=checkbox name=scope value=b checked>
<button name=decision value=deny>No</button><button name=decision value=allow>Yes</button></form>"""


def browsing(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response], **more: list[str]
) -> str:
    client = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: client(transport=httpx.MockTransport(answer), **options))
    with Browser(
        {"login": ["robin"], "password": ["correct-horse"], "decision": ["choose", "allow"], **more}
    ) as browser:
        return browser.until("Signing in", "http://hearth.test/authorize", GOAL)


def html(text: str, status: int = 200) -> httpx.Response:
    return httpx.Response(status, html=text)


def to(location: str) -> httpx.Response:
    return httpx.Response(303, headers={"Location": location})


def test_a_page_that_asks_what_nobody_has_an_answer_to_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JourneyFault, match=r"^Signing in: the page says: Enter the code of your app$"):
        browsing(
            monkeypatch, lambda _: html("<title>x</title><p>Enter the <b>code</b> of your app<form><input name=code>")
        )


def test_a_refused_form_is_sent_once_and_its_page_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return html(SIGN_IN.replace("Welcome", "Wrong password"))

    with pytest.raises(JourneyFault, match="the page says: Wrong password"):
        browsing(monkeypatch, answer)
    assert sent == ["GET", "POST"]


def test_a_refused_answer_is_followed_by_the_next_one_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.extend(parse_qs(request.content.decode())["code"])
        return to(GOAL) if sent == ["1", "2"] else html("<form method=post><input name=code></form>")

    assert browsing(monkeypatch, answer, code=["1", "2", "3"]) == GOAL


def test_pages_without_an_end_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JourneyFault, match="the pages have no end"):
        browsing(monkeypatch, lambda _: to("/again"))


def test_goes_through_the_forms_as_far_as_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, dict[str, list[str]]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append((str(request.url), parse_qs(request.content.decode())))
            return to("/consent" if request.url.path == "/sign-in" else f"{GOAL}?code=1")
        return html({"/authorize": SIGN_IN, "/consent": CONSENT}[request.url.path])

    assert browsing(monkeypatch, answer) == f"{GOAL}?code=1"
    assert sent == [
        (
            "http://hearth.test/sign-in?ask=1",
            {"csrf": ["c"], "login": ["robin"], "password": ["correct-horse"], "stay": ["yes"]},
        ),
        ("http://hearth.test/consent", {"scope": ["a", "b"], "decision": ["allow"]}),
    ]


def test_a_page_tells_its_words_and_neither_style_nor_title() -> None:
    assert Page(SIGN_IN).told == "Welcome Sign in"
    assert Page("<header>Menu</header><main><h1>Sorry</h1></main>").told == "Sorry"
