"""Both launches in a real browser with scripts switched off, and what axe says of every page on the way.

https://www.w3.org/TR/WCAG22/. Screenshots are left in `build/screenshots`, or where HEARTH_SCREENSHOTS says.
"""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pyotp
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route

PASSWORD: Final = "violet kettle unfolds north"
WIDTHS: Final = {"phone": (360, 740), "desktop": (1280, 800)}
STANDALONE: Final = (
    "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Task.rus patient/Questionnaire.rs "
    "patient/QuestionnaireResponse.cruds patient/Observation.rs?category=survey"
)
CHART: Final = "openid fhirUser launch launch/task patient/*.rs user/Task.cu"
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST: Final = {"type": "rule", "values": ["color-contrast"]}
LOOKS: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("phone", "light", TAGS), ("desktop", "light", TAGS), ("phone", "dark", CONTRAST), ("desktop", "dark", CONTRAST)
)  # fmt: skip
"""All that colours can change is contrast."""


class Album:
    """Every page of a walk as it was, to be looked at in each width and colour scheme."""

    def __init__(self, browser: Browser, screenshots: Path) -> None:
        self.pages: dict[str, tuple[str, str]] = {}
        self._browser, self._screenshots = browser, screenshots
        self._html = ""

    async def keep(self, name: str, page: Page) -> None:
        assert await page.locator("script").count() == 0
        self.pages[name] = (page.url, await page.content())

    async def faults(self) -> list[str]:
        """What axe finds on the pages, shown once more where scripts run; pictures of them are left."""
        context = await self._browser.new_context()
        page, found = await context.new_page(), list[str]()
        await page.route("**/*", self._answer)
        for name, (url, html) in self.pages.items():
            self._html = html
            await page.goto(url)
            for width, scheme, rules in LOOKS:
                found += await self._look(page, name, width, scheme, rules)
            await page.set_viewport_size({"width": 320, "height": 640})
            beyond = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found += [f"{name}: {beyond} px too wide at 320 px"] if beyond > 0 else []
        await context.close()
        print(f"\nScreenshots of {len(self.pages)} pages are in {self._screenshots}")
        return found

    async def _answer(self, route: Route) -> None:
        if route.request.is_navigation_request():
            await route.fulfill(body=self._html, content_type="text/html; charset=utf-8")
        else:
            await route.continue_()

    async def _look(self, page: Page, name: str, width: str, scheme: Any, rules: Any) -> list[str]:
        await page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = await Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
        if (width, scheme) != ("phone", "dark"):
            await page.screenshot(path=self._screenshots / f"{name}-{width}-{scheme}.png", full_page=True)
        return [
            f"{name} {width} {scheme}: {each['id']} at {[node['target'] for node in each['nodes']]}"
            for each in results.response["violations"]
        ]


class Person:
    """Somebody at a browser in which no script runs."""

    def __init__(self, page: Page, album: Album) -> None:
        self.page, self.album = page, album

    async def sees(self, name: str, heading: str) -> None:
        assert await self.page.locator("h1").inner_text() == heading
        await self.album.keep(name, self.page)

    async def signs_in(self, login: str, password: str = PASSWORD) -> None:
        await self.page.get_by_label("Login").fill(login)
        await self.page.get_by_label("Password").fill(password)
        await self.presses("Sign in")

    async def presses(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def album(browser: Browser, screenshots: Path) -> Album:
    return Album(browser, screenshots)


@pytest.fixture
async def person(browser: Browser, album: Album) -> AsyncIterator[Person]:
    context = await browser.new_context(
        java_script_enabled=False, locale="en-GB", viewport={"width": 360, "height": 740}
    )
    context.set_default_timeout(10_000)
    yield Person(await context.new_page(), album)
    await context.close()


def pkce() -> tuple[str, str]:
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def redeemed(clinic: Any, client_id: str, verifier: str) -> dict[str, Any]:
    """The token answer for the code that the app was told last."""
    told = clinic.app.told[-1]
    assert told["state"] == "the state of this app"
    form = {
        "grant_type": "authorization_code", "code": told["code"], "redirect_uri": clinic.app.callback,
        "code_verifier": verifier, "client_id": client_id,
    }  # fmt: skip
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{clinic.issuer}/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_patient_connects_an_app_that_they_opened_and_ends_it_again(clinic: Any, person: Person) -> None:
    client_id = await clinic.register("Pocket Diary", STANDALONE)
    verifier, challenge = pkce()
    page = person.page
    await page.goto(clinic.asks(client_id, STANDALONE, challenge))
    await person.sees("sign-in", "Sign in")
    await person.presses("Sign in")
    await person.sees("sign-in-empty", "Sign in")
    await person.signs_in("maya@example.org", "something else entirely")
    assert await page.get_by_role("alert").get_by_text("That didn’t match. Please try again.").is_visible()
    await person.sees("sign-in-refused", "Sign in")
    await person.signs_in("maya@example.org")
    await person.sees("consent", "Connect Pocket Diary?")
    await page.get_by_role("link", name="Español").click()
    await person.sees("consent-es", "¿Conectar Pocket Diary?")
    await page.get_by_role("link", name="Deutsch").click()
    await person.sees("consent-de", "Pocket Diary verbinden?")
    await page.get_by_role("link", name="English").click()
    await page.get_by_label("Add, change and delete answers to questionnaires").uncheck()
    await person.presses("Allow")
    await page.wait_for_url("**/home")  # the app redirects on to another host
    body = await redeemed(clinic, client_id, verifier)
    assert body["patient"] == "maya"
    assert "patient/Task.rus" in body["scope"].split()
    assert "patient/QuestionnaireResponse.rs" in body["scope"].split()
    assert "patient/QuestionnaireResponse.cruds" not in body["scope"].split()
    assert body["refresh_token"]

    await page.goto(f"{clinic.issuer}/apps")
    await page.get_by_text("What it may do").click()
    await person.sees("apps", "Connected apps")
    await page.get_by_role("link", name="Account").click()
    await person.sees("account", "Your account")
    await page.get_by_role("combobox", name="Language").select_option("nl")
    await person.presses("Save")
    await person.sees("account-nl", "Uw account")
    await page.get_by_role("link", name="Verbonden apps").click()
    await page.get_by_role("button", name="Toegang van Pocket Diary intrekken").click()
    await person.sees("apps-none-nl", "Verbonden apps")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {body['access_token']}"}) as http:
        assert (await http.get(f"{clinic.issuer}/fhir/Patient/maya")).status_code == 401
    await page.get_by_role("button", name="Uitloggen").click()
    await person.sees("signed-out-nl", "U bent uitgelogd")
    assert await person.album.faults() == []


async def test_a_clinician_sets_up_a_second_step_picks_a_patient_and_declines(clinic: Any, person: Person) -> None:
    client_id = await clinic.register("Progress Board", STANDALONE)
    verifier, challenge = pkce()
    page = person.page
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.goto(clinic.asks(client_id, STANDALONE, challenge))
    await person.signs_in("lee@example.org")
    await person.sees("set-up-begin", "Protect your account")
    await person.presses("Begin")
    await person.sees("set-up", "Protect your account")
    key = (await page.locator(".key").inner_text()).replace(" ", "")
    await page.get_by_label("Enter the six digits that the app shows now.").fill("000000")
    await person.presses("Confirm")
    await person.sees("set-up-refused", "Protect your account")
    await page.get_by_label("Enter the six digits that the app shows now.").fill(pyotp.TOTP(key).now())
    await person.presses("Confirm")
    await person.sees("recovery-codes", "Your recovery codes")
    recovery = await page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    await page.get_by_role("link", name="I have kept them").click()
    await person.sees("choose-patient", "Choose a patient")
    await page.get_by_label("Find by name").fill("nobody at all")
    await person.presses("Search")
    await person.sees("choose-patient-none", "Choose a patient")
    await page.get_by_label("Find by name").fill("Beck")
    await person.presses("Search")
    assert await page.get_by_role("radio").count() == 2
    await person.presses("Continue")
    await person.sees("choose-patient-missing", "Choose a patient")
    await page.get_by_label("record jonas-2").check()
    await person.presses("Continue")
    await person.sees("consent-clinician", "Connect Progress Board?")
    await page.get_by_role("link", name="Choose another").click()
    await page.get_by_label("Lotte van Dijk").check()
    await person.presses("Continue")
    assert await page.get_by_text("born February 1979").is_visible()
    await person.presses("Not you?")
    await person.signs_in("lee@example.org")
    await person.sees("second-factor", "One more step")
    await page.get_by_label("Code").fill("111111")
    await person.presses("Continue")
    await person.sees("second-factor-refused", "One more step")
    await page.get_by_label("Code").fill(recovery[3])
    await person.presses("Continue")
    await person.presses("Don’t allow")
    await page.wait_for_url("**/home")
    assert clinic.app.told[-1]["error"] == "access_denied"
    assert verifier not in str(clinic.app.told)

    await page.goto(f"{clinic.issuer}/apps?whose=all")
    await person.sees("apps-all-none", "Connected apps")
    await page.goto(f"{clinic.issuer}/account/second-factor")
    await person.sees("second-factor-manage", "Second step")
    await page.goto(f"{clinic.issuer}/account/password")
    await person.sees("password", "Change your password")
    await page.get_by_label("Current password").fill(PASSWORD)
    await page.get_by_label("New password", exact=True).fill("too short")
    await page.get_by_label("New password once more").fill("too short")
    await person.presses("Save the password")
    await person.sees("password-refused", "Change your password")
    assert await person.album.faults() == []


async def test_an_ehr_opens_an_app_on_a_patient_and_an_assignment(clinic: Any, person: Person) -> None:
    """And tells the app, not the person, when it was opened on a record that this person may not see."""
    await clinic.put(
        {
            "resourceType": "Task", "id": "walk", "status": "ready", "intent": "order",
            "for": {"reference": "Patient/maya"}, "description": "A ten-minute walk",
        }
    )  # fmt: skip
    await clinic.person("robin@example.org", "Robin Sayed", "Patient/sam")
    client_id = await clinic.register("Outcomes", CHART)
    verifier, challenge = pkce()

    async def launched(**more: Any) -> str:
        wanted = {"patient": "Patient/sam", "intent": "review", "fhirContext": [{"reference": "Task/walk"}]} | more
        async with httpx.AsyncClient() as http:
            bearer = {"Authorization": f"Bearer {await clinic.token('__launch system/*.rs')}"}
            answer = await http.post(f"{clinic.issuer}/oauth/launch", json=wanted, headers=bearer)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["launch"])

    await person.page.goto(clinic.asks(client_id, CHART, challenge, launch=await launched()))
    await person.signs_in("robin@example.org")
    await person.sees("consent-ehr", "Connect Outcomes?")
    await person.presses("Allow")
    await person.page.wait_for_url("**/home")
    body = await redeemed(clinic, client_id, verifier)
    assert (body["patient"], body["intent"]) == ("sam", "review")
    assert body["fhirContext"][0]["reference"] == "Task/walk"

    stranger = clinic.asks(client_id, CHART, challenge, launch=await launched(patient="Patient/maya"))
    await person.page.goto(stranger)
    await person.page.wait_for_url("**/home")
    assert clinic.app.told[-1]["error"] == "access_denied"
    await person.page.goto(clinic.asks("nobody", CHART, challenge))
    await person.sees("fault-app", "This app can’t be connected right now")
    await person.page.goto(f"{clinic.issuer}/consent?ask=long-gone")
    await person.sees("fault-over", "This request has ended")
    assert await person.album.faults() == []
