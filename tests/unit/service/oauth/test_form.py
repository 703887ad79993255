"""Requests to the OAuth endpoints: forms and client credentials as RFC 6749 writes them."""

import base64

import pytest

from service.oauth.faults import InvalidClient, InvalidRequest, OAuthFault
from service.oauth.form import MEDIA_TYPE, Credentials, OAuthRequest, client_named, credentials, parameters


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_reads_a_form_and_leaves_out_empty_values() -> None:
    form = parameters(b"grant_type=client_credentials&scope=&client_id=a%20b", f"{MEDIA_TYPE}; charset=utf-8")
    assert form == {"grant_type": "client_credentials", "client_id": "a b"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1&a=2", MEDIA_TYPE),
        (b"a=\xff", MEDIA_TYPE),
        (b"a=%ff", MEDIA_TYPE),
        (b"&".join(b"a%d=1" % number for number in range(100)), MEDIA_TYPE),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"a=1", None),
    ],
)
def test_refuses_a_body_that_is_no_proper_form(body: bytes, content_type: str | None) -> None:
    with pytest.raises(InvalidRequest):
        parameters(body, content_type)


@pytest.mark.parametrize(
    ("form", "authorization"),
    [
        ({"client_id": "app:1", "client_secret": "s +"}, None),
        ({}, basic("app%3A1:s+%2B")),
        ({}, basic("app%3A1:s%20%2B").replace("Basic", "bAsIc")),
        ({"client_id": "app:1"}, basic("app%3A1:s+%2B")),
    ],
)
def test_takes_credentials_from_the_form_or_the_header(form: dict[str, str], authorization: str | None) -> None:
    assert credentials(OAuthRequest(form, authorization)) == Credentials("app:1", "s +")


@pytest.mark.parametrize(
    ("form", "authorization", "fault"),
    [
        ({}, None, InvalidClient),
        ({"client_id": "app"}, None, InvalidClient),
        ({"client_secret": "s"}, None, InvalidClient),
        ({}, "Basic", InvalidClient),
        ({}, "Basic not-base64!", InvalidClient),
        ({}, basic("no-colon"), InvalidClient),
        ({}, "Basic " + base64.b64encode(b"\xff:\xff").decode(), InvalidClient),
        ({}, "Bearer abc", InvalidClient),
        ({"client_id": "app", "client_secret": "s"}, basic("app:s"), InvalidRequest),
        ({"client_id": "other"}, basic("app:s"), InvalidRequest),
    ],
)
def test_refuses_credentials_that_are_missing_malformed_or_sent_twice(
    form: dict[str, str], authorization: str | None, fault: type[OAuthFault]
) -> None:
    with pytest.raises(fault):
        credentials(OAuthRequest(form, authorization))


def test_reads_the_name_a_client_gives_itself_from_header_or_form() -> None:
    assert client_named(OAuthRequest({"client_id": "app"})) == "app"
    assert client_named(OAuthRequest({}, basic("app%3A1:s"))) == "app:1"
    assert client_named(OAuthRequest({}, "Bearer abc")) is None
    assert client_named(OAuthRequest({})) is None
