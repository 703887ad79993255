"""Addresses to return to: which are registered, and how an answer is written into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.oauth.redirect import is_registered, located

addresses = st.sampled_from(
    ["https://a.example/cb", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://[::1]/cb", "com.example:/cb"]
)


@given(st.text(max_size=60), addresses)
def test_nothing_but_the_registered_is_registered(text: str, registered: str) -> None:
    assert is_registered(text, [registered]) == (text == registered)


@given(st.integers(1, 65535), addresses)
def test_a_port_is_free_on_the_loopback_and_nowhere_else(port: int, registered: str) -> None:
    for host in ("127.0.0.1", "[::1]"):
        asked = f"http://{host}:{port}/cb"
        assert is_registered(asked, [registered]) == (host in registered)


@pytest.mark.parametrize(
    ("uri", "written"),
    [
        ("https://a.example/cb", "https://a.example/cb?code=a+%26&state=%C3%A9"),
        ("https://a.example/cb?x=%20", "https://a.example/cb?x=%20&code=a+%26&state=%C3%A9"),
        ("com.example:/cb", "com.example:/cb?code=a+%26&state=%C3%A9"),
    ],
)
def test_an_answer_is_added_to_the_query(uri: str, written: str) -> None:
    assert located(uri, code="a &", error=None, state="\u00e9") == written
