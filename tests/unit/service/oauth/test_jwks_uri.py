"""Key sets of clients are kept as long as they allow, and asked for again when a key is missing, but not all the time."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

from service.oauth.jwks_uri import AGAIN, KEPT_MOST, KEPT_UNSAID, KeysAway, KeySource, kept_for
from service.public_web import Document, Unreachable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URI = "https://keys.example/jwks"


class Host:
    """What a client publishes, and how often it was asked for."""

    def __init__(self, *kids: str, cache_control: str = "") -> None:
        self.times = 0
        self.now = NOW
        self.cache_control = cache_control
        self.publish(*kids)

    def publish(self, *kids: str) -> None:
        keys = [ECKey.generate_key("P-384", {"kid": kid}).as_dict(private=False) for kid in kids]
        self.content = json.dumps({"keys": keys}).encode()

    async def get(self, uri: str) -> Document:
        assert uri == URI
        self.times += 1
        await asyncio.sleep(0)
        if not self.content:
            raise Unreachable("it is away")
        return Document(self.content, self.cache_control)


def source_of(host: Host) -> KeySource:
    return KeySource(host.get, lambda: host.now)


async def kids(host: Host, source: KeySource, kid: str, now: datetime) -> list[Any]:
    """The keys that a request gets at this time, by the way that requests go."""
    host.now = now
    try:
        found = source.keys(URI, kid, now)
    except KeysAway as away:
        await source.load(away.uri)
        found = source.keys(URI, kid, now)
    return [key.kid for key in found]


@pytest.mark.parametrize(
    ("cache_control", "kept"),
    [
        ("", KEPT_UNSAID),
        ("public", KEPT_UNSAID),
        ("max-age=30", timedelta(seconds=30)),
        ("public, max-age = 30", timedelta(seconds=30)),
        ('max-age="30"', timedelta(seconds=30)),
        ("max-age=999999", KEPT_MOST),
        ("max-age=0", timedelta()),
        ("no-store", timedelta()),
        ("No-Cache, max-age=60", timedelta()),
        ("max-age=soon", KEPT_UNSAID),
    ],
)
def test_a_key_set_is_kept_as_long_as_its_server_says(cache_control: str, kept: timedelta) -> None:
    assert kept_for(cache_control) == kept
    assert kept_for(cache_control) <= KEPT_MOST


async def test_keys_are_fetched_once_and_then_kept() -> None:
    host = Host("a")
    source = source_of(host)
    for seconds in (0, 1, 59, 60):
        assert await kids(host, source, "a", NOW + timedelta(seconds=seconds)) == ["a"]
    assert host.times == 1
    assert await kids(host, source, "a", NOW + timedelta(seconds=61)) == ["a"]
    assert host.times == 2


async def test_what_may_not_be_kept_is_fetched_for_each_request() -> None:
    host = Host("a", cache_control="no-store")
    source = source_of(host)
    for seconds in range(3):
        assert await kids(host, source, "a", NOW + timedelta(seconds=seconds)) == ["a"]
    assert host.times == 3


async def test_a_new_key_is_found_but_an_unknown_one_is_not_looked_for_all_the_time() -> None:
    host = Host("a")
    source = source_of(host)
    await kids(host, source, "a", NOW)
    host.publish("b")
    assert await kids(host, source, "b", NOW + AGAIN) == ["a"]  # asked just now
    assert host.times == 1
    later = NOW + AGAIN + timedelta(seconds=1)
    assert await kids(host, source, "b", later) == ["b"]
    for seconds in range(10):
        assert await kids(host, source, "nobody", later + timedelta(seconds=seconds)) == ["b"]
    assert host.times == 2


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", b"[]"])
async def test_keys_that_cannot_be_had_are_none_and_asked_for_again_after_a_while(content: bytes) -> None:
    host = Host("a")
    good, host.content = host.content, content
    source = source_of(host)
    for seconds in range(10):
        assert await kids(host, source, "a", NOW + timedelta(seconds=seconds)) == []
    assert host.times == 1
    host.content = good
    assert await kids(host, source, "a", NOW + AGAIN + timedelta(seconds=1)) == ["a"]


async def test_of_requests_at_once_one_fetches() -> None:
    host = Host("a")
    source = source_of(host)
    found = await asyncio.gather(*(kids(host, source, "a", NOW) for _ in range(20)))
    assert found == [["a"]] * 20
    assert host.times == 1


async def test_who_waited_for_keys_that_may_not_be_kept_gets_them() -> None:
    host = Host("a", cache_control="no-store")
    source = source_of(host)
    for milliseconds in range(3):
        with pytest.raises(KeysAway):
            source.keys(URI, "a", NOW + timedelta(milliseconds=milliseconds))
    host.now = NOW + timedelta(seconds=1)
    await asyncio.gather(*(source.load(URI) for _ in range(3)))
    for milliseconds in range(3):
        assert [key.kid for key in source.keys(URI, "a", NOW + timedelta(milliseconds=milliseconds))] == ["a"]
    with pytest.raises(KeysAway):
        source.keys(URI, "a", NOW + timedelta(seconds=2))
    assert host.times == 1
