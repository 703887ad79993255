"""Who signed in, told to the app. https://openid.net/specs/openid-connect-core-1_0.html"""

import json
from base64 import urlsafe_b64decode
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs user/*.rs"


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def verified(clinic: Any, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of an id_token whose signature fits a key found as OpenID Connect says."""
    head, body, signature = token.split(".")
    header, claims = (json.loads(bytes_of(part)) for part in (head, body))
    async with clinic.http() as http:
        configuration = (await http.get(f"{claims['iss']}/.well-known/openid-configuration")).json()
        assert configuration["issuer"] == claims["iss"]
        keys = (await http.get(configuration["jwks_uri"])).json()["keys"]
    (key,) = (each for each in keys if each["kid"] == header["kid"])
    n, e = (int.from_bytes(bytes_of(key[name]), "big") for name in ("n", "e"))
    public = RSAPublicNumbers(e, n).public_key()
    public.verify(bytes_of(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256())
    return header, claims


@smart("200", "205", "210", "358", "inferno-1.3.05", "inferno-1.3.06")
async def test_an_id_token_comes_with_openid_signed_by_rs256_with_the_required_claims(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], SCOPE, nonce="n-123")
    header, claims = await verified(clinic, told["id_token"])
    assert header["alg"] == "RS256"
    assert claims["iss"] == clinic.issuer
    assert 0 < len(claims["sub"]) < 256
    assert claims["aud"] in (app.client_id, [app.client_id])
    assert claims["iat"] - 5 <= time() < claims["exp"]
    assert claims["nonce"] == "n-123"


@pytest.mark.parametrize(
    ("who", "reference"),
    [("patient", "Patient/pat"), ("practitioner", "Practitioner/doc"), ("relative", "RelatedPerson/kin")],
)
@smart("198", "209", "197")
async def test_fhir_user_names_the_person_of_every_kind(clinic: Any, who: str, reference: str) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people[who], "openid fhirUser user/*.rs")
    _, claims = await verified(clinic, told["id_token"])
    assert claims["fhirUser"] in (reference, f"{clinic.fhir}/{reference}")


@smart("198", "inferno-1.3.07", "inferno-1.3.08")
async def test_fhir_user_can_be_read_with_the_token_also_from_a_page_of_the_app(clinic: Any) -> None:
    app = await clinic.app()
    for who in ("patient", "practitioner"):
        told = await clinic.connect(app, clinic.people[who], "openid fhirUser user/*.rs")
        _, claims = await verified(clinic, told["id_token"])
        origin = app.redirect_uri.removesuffix("/done")
        answer = await clinic.read(told["access_token"], claims["fhirUser"], Origin=origin)
        assert answer.status_code == 200
        assert answer.json()["resourceType"] == claims["fhirUser"].split("/")[-2]
        assert answer.headers["access-control-allow-origin"] in ("*", origin)


@smart("200", "209")
async def test_no_id_token_without_openid_and_no_fhir_user_without_its_scope(clinic: Any) -> None:
    app, person = await clinic.app(), clinic.people["patient"]
    assert "id_token" not in await clinic.connect(app, person, "launch/patient patient/*.rs")
    assert "id_token" not in await clinic.connect(app, person, "fhirUser launch/patient patient/*.rs")
    told = await clinic.connect(app, person, "openid launch/patient patient/*.rs")
    _, claims = await verified(clinic, told["id_token"])
    assert "fhirUser" not in claims


@smart("197")
async def test_an_account_is_always_of_somebody_who_is_a_resource(clinic: Any) -> None:
    for reference in ("", "Organization/x", "Patient", "Patient/", "https://other.example/Patient/pat"):
        with pytest.raises(Exception, match=r"."):
            await clinic.person(reference)


@smart("207", "inferno-1.3.04")
async def test_public_keys_are_bare_jwks_of_rsa_without_their_private_part(clinic: Any) -> None:
    async with clinic.http() as http:
        configuration = (await http.get(".well-known/smart-configuration")).json()
        answer = await http.get(configuration["jwks_uri"], headers={"Origin": "https://anywhere.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    keys = answer.json()["keys"]
    assert any(key["kty"] == "RSA" for key in keys)
    for key in keys:
        assert key["kid"]
        assert {"n", "e"} <= set(key)
        assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(key)
    assert len({key["kid"] for key in keys}) == len(keys)


@smart("OIDC-core-3.1.2.1")
async def test_prompt_none_shows_no_page(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    browser = clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], prompt="none"), "GET", browser)
    end = landed(await browser.follow(answer))
    assert end.told["error"] == "login_required"
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], prompt="none"), "GET", browser)
    end = landed(await browser.follow(answer))
    assert end.told["error"] in ("consent_required", "interaction_required")


@smart("OIDC-core-3.1.2.1")
async def test_prompt_login_asks_who_is_signed_in_already_for_the_password(
    clinic: Any, new_pkce: Any, forms: Any
) -> None:
    app, browser = await clinic.app(), clinic.browser()
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], prompt="login"), "GET", browser)
    page = await browser.follow(answer)
    assert forms(page.text).having("login", "password")


@smart("205")
async def test_a_subject_is_the_same_for_the_same_person_and_another_for_another(clinic: Any) -> None:
    app = await clinic.app()
    subjects = []
    for who in ("patient", "patient", "practitioner"):
        told = await clinic.connect(app, clinic.people[who], "openid user/*.rs")
        subjects.append((await verified(clinic, told["id_token"]))[1]["sub"])
    assert subjects[0] == subjects[1] != subjects[2]
