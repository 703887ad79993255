"""Pages of registered origins call the FHIR API from a real browser; those of others cannot. https://fetch.spec.whatwg.org/"""

from typing import Any, Final

from playwright.async_api import Browser

# What a page finds out: status and headers of each answer, or that the browser keeps it from the page.
ASK: Final = """async ([issuer, token]) => {
  const headers = {Authorization: `Bearer ${token}`, 'Content-Type': 'application/fhir+json', 'X-Client': 'its own header'};
  const body = JSON.stringify({resourceType: 'Patient', id: 'from-a-page'});
  const asked = {
    write: () => fetch(`${issuer}/fhir/Patient/from-a-page`, {method: 'PUT', headers, body}),
    refused: () => fetch(`${issuer}/fhir/Patient`),
    token: () => fetch(`${issuer}/oauth/token`, {method: 'POST', body: new URLSearchParams({grant_type: 'none'})}),
    authorize: () => fetch(`${issuer}/oauth/authorize`),
    metadata: () => fetch(`${issuer}/fhir/metadata`),
    discovery: () => fetch(`${issuer}/fhir/.well-known/smart-configuration`),
  };
  const told = {};
  for (const [name, ask] of Object.entries(asked)) {
    try {
      const answer = await ask();
      told[name] = [answer.status, answer.headers.get('etag'), answer.headers.has('x-request-id')];
    } catch {
      told[name] = 'kept from the page';
    }
  }
  return told;
}"""
KEPT: Final = "kept from the page"


async def found(browser: Browser, clinic: Any, page_at: str) -> dict[str, Any]:
    page = await browser.new_page()
    try:
        await page.goto(page_at)
        return dict(await page.evaluate(ASK, [clinic.issuer, await clinic.token()]))
    finally:
        await page.close()


async def test_a_page_of_another_origin_reads_only_what_any_page_may(browser: Browser, clinic: Any) -> None:
    await clinic.register("Diary", "patient/*.rs")
    told = await found(
        browser, clinic, clinic.app.callback.replace("127.0.0.1", "localhost").replace("callback", "home")
    )
    assert {name for name, answer in told.items() if answer == KEPT} == {"write", "refused", "token", "authorize"}
    assert (told["metadata"][0], told["discovery"][0]) == (200, 200)


async def test_a_page_of_a_registered_origin_reads_answers_and_their_headers(browser: Browser, clinic: Any) -> None:
    await clinic.register("Diary", "patient/*.rs")
    told = await found(browser, clinic, clinic.app.callback.replace("callback", "home"))
    assert told["write"] == [201, 'W/"1"', True]
    assert told["refused"][0] == 401
    assert told["token"][0] == 400
    assert told["authorize"] == KEPT
    assert (told["metadata"][0], told["discovery"][0]) == (200, 200)
