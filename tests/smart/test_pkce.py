"""Proof that who redeems a code is who asked for it. https://www.rfc-editor.org/rfc/rfc7636"""

from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "launch/patient patient/*.rs"


@pytest.mark.parametrize("auth", ["none", "client_secret_basic", "private_key_jwt"])
@smart("14", "31", "RFC9700-2.1.1")
async def test_a_code_is_exchanged_with_the_verifier_that_its_challenge_was_made_of(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    answer = await clinic.redeem(app, *await clinic.code(app, clinic.people["patient"], SCOPE))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("auth", ["none", "client_secret_basic", "private_key_jwt"])
@smart("31", "g10-9.18", "RFC7636-4.6")
async def test_a_verifier_that_is_absent_blank_wrong_or_the_challenge_itself_is_refused(
    clinic: Any, new_pkce: Any, auth: str
) -> None:
    app = await clinic.app(auth=auth)
    verifier, challenge = new_pkce()
    landed = await clinic.land(app, clinic.people["patient"], SCOPE, challenge)
    code = landed.told["code"]
    bad = [
        (None, "invalid_request"), ("", "invalid_request"), (new_pkce()[0], "invalid_grant"), (challenge, "invalid_grant"),
        (verifier[:-1], "invalid_grant"), (verifier + "x", "invalid_grant"), (verifier.swapcase(), "invalid_grant"),
        (" " + verifier, "invalid_grant"), ("x" * 129, "invalid_grant"), ("\0", "invalid_grant"),
    ]  # fmt: skip
    for tried, error in bad:
        answer = await clinic.redeem(app, code, "", code_verifier=tried)
        assert (answer.status_code, answer.json()["error"]) == (400, error), tried
    # A try that proves nothing does not take the code from its owner.
    assert (await clinic.redeem(app, code, verifier)).status_code == 200


@smart("15", "RFC9700-2.1.1")
async def test_a_plain_challenge_is_refused_even_if_it_is_the_verifier(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    verifier, _ = new_pkce()
    for method in ("plain", None):
        end = landed(await clinic.ask(clinic.request(app, SCOPE, verifier, code_challenge_method=method)))
        assert end.told["error"] == "invalid_request"
        assert "code" not in end.told


@smart("RFC9700-2.1.1")
async def test_the_challenge_of_another_request_does_not_fit(clinic: Any) -> None:
    app = await clinic.app()
    code, _ = await clinic.code(app, clinic.people["patient"], SCOPE)
    _, other = await clinic.code(app, clinic.people["patient"], SCOPE)
    assert (await clinic.redeem(app, code, other)).json()["error"] == "invalid_grant"
