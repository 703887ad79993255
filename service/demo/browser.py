"""A person at a browser: follows links, reads forms and fills them in, as far as the address that an app waits at.

https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#form-submission-2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import httpx

from service.demo.wire import SECONDS, JourneyFault, send

Fields = dict[str, list[str]]
Answers = Mapping[str, Sequence[str]]

PAGES_MOST: Final = 20
_TOLD_MOST: Final = 300


@dataclass(slots=True)
class Form:
    """A form of a page. `fields` has what is sent when nothing is filled in, `options` the values to choose from by name."""

    action: str = ""
    method: str = "get"
    fields: Fields = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)

    def fit(self, answers: Answers) -> Fields:
        """The answers to what the form asks, as far as it offers them."""
        found = {
            name: [value for value in answers.get(name, ()) if not offered or value in offered]
            for name, offered in self.options.items()
        }
        return {name: values for name, values in found.items() if values}

    def filled(self, answers: Answers, turn: int) -> Fields | None:
        """What is sent by who was refused `turn` times; None when there is no answer, or no further one."""
        fit = self.fit(answers)
        if turn >= max(map(len, fit.values()), default=0):
            return None
        return {**self.fields, **{name: [values[min(turn, len(values) - 1)]] for name, values in fit.items()}}


class Page(HTMLParser):
    """The forms of a page, and what it says in words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._words: list[str] = []
        self._silent = 0
        self.feed(text)

    @property
    def told(self) -> str:
        """The text of the page, of its main part where it has one, in one line."""
        return " ".join(" ".join(self._words).split())[:_TOLD_MOST]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a form and its controls."""
        given = {name: value or "" for name, value in attrs}
        self._silent += tag in ("style", "script", "title")
        if tag == "main":
            self._words.clear()
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and given.get("name") and "disabled" not in given:
            self._control(self.forms[-1], tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Hear the page again behind what is not shown."""
        self._silent -= tag in ("style", "script", "title")

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not self._silent:
            self._words.append(data)

    def _control(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        name, value, kind = given["name"], given.get("value", ""), given.get("type", "text")
        if tag == "button":
            form.options.setdefault(name, []).append(value)
        elif tag == "input" and kind in ("checkbox", "radio"):
            form.options.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.fields.setdefault(name, []).append(value or "on")
        elif tag == "input" and kind == "hidden":
            form.fields.setdefault(name, []).append(value)
        elif tag in ("input", "select", "textarea"):
            form.options.setdefault(name, [])
            form.fields.setdefault(name, []).append(value)


class Browser:
    """One person's browser: it keeps cookies, and tries the answers of a form one after the other."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._http = httpx.Client(timeout=SECONDS, headers={"Accept": "text/html"})

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._http.close()

    def until(self, step: str, url: str, goal: str) -> str:
        """Open `url` and go on until the server sends the browser to `goal`: the whole address it is sent to.

        Raises JourneyFault with the words of the page where nobody gets further.
        """
        method, turn = "GET", 0
        fields: Fields | None = None
        for _ in range(PAGES_MOST):
            where = "data" if method == "POST" else "params"
            answer = send(self._http, step, method, url, **({} if fields is None else {where: fields}))
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                if url.startswith(goal):
                    return url
                method, fields, turn = "GET", None, 0
                continue
            page = Page(answer.text)
            turn += method == "POST"  # a form that was taken leads on to another address
            form = next((each for each in page.forms if each.fit(self._answers)), Form())
            fields = form.filled(self._answers, turn)
            if fields is None:
                raise JourneyFault(f"{step}: the page says: {page.told}")
            url, method = urljoin(url, form.action), form.method.upper()
        raise JourneyFault(f"{step}: the pages have no end")
