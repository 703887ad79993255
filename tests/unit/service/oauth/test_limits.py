"""Token buckets: so many a minute of one client at one address, five times as many of all at one."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.errors import TooManyRequests
from service.oauth import limits
from service.oauth.limits import Limits
from service.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def made(**settings: Any) -> Limits:
    return Limits(Settings(**({"rate_token": 60} | settings)))


def taken(
    buckets: Limits, times: int, client: str | None = "app", address: str | None = "192.0.2.1", **kind: Any
) -> int:
    """How many of so many requests at once are let through."""
    count = 0
    for _ in range(times):
        with suppress(TooManyRequests):
            buckets.check(kind.get("kind", "token"), client, address, kind.get("now", NOW))
            count += 1
    return count


def test_a_client_has_its_limit_and_then_as_much_as_time_gives() -> None:
    buckets = made()
    assert taken(buckets, 100) == 60
    assert taken(buckets, 5, now=NOW + timedelta(seconds=3)) == 3
    assert taken(buckets, 100, now=NOW + timedelta(minutes=5)) == 60


def test_says_after_how_many_seconds_there_is_room() -> None:
    buckets = made(rate_token=6)
    assert taken(buckets, 6) == 6
    with pytest.raises(TooManyRequests) as raised:
        buckets.check("token", "app", "192.0.2.1", NOW)
    assert raised.value.retry_after == 10
    buckets.check("token", "app", "192.0.2.1", NOW + timedelta(seconds=10))


def test_what_is_refused_costs_nothing() -> None:
    buckets = made()
    taken(buckets, 1000)
    assert taken(buckets, 2, now=NOW + timedelta(seconds=1)) == 1


def test_clients_addresses_and_endpoints_have_limits_of_their_own() -> None:
    buckets = made(rate_introspect=10)
    assert taken(buckets, 100) == 60
    assert taken(buckets, 100, client="other") == 60
    assert taken(buckets, 100, address="192.0.2.2") == 60
    assert taken(buckets, 100, kind="introspect") == 10


def test_all_at_one_address_have_five_times_the_limit() -> None:
    buckets = made()
    assert sum(taken(buckets, 10, client=f"app-{number}") for number in range(100)) == 300
    assert taken(made(), 1000, client=None) == 300


def test_nobody_locks_out_a_client_from_another_address() -> None:
    buckets = made()
    taken(buckets, 1000, address="203.0.113.9")
    assert taken(buckets, 60) == 60


def test_an_ipv6_network_is_one_address() -> None:
    buckets = made()
    assert taken(buckets, 50, address="2001:db8::1") == 50
    assert taken(buckets, 50, address="2001:db8::ffff:2") == 10
    assert taken(buckets, 50, address="2001:db8:0:1::1") == 50
    assert taken(buckets, 60, address="::ffff:192.0.2.7") == 60
    assert taken(buckets, 60, address="::ffff:192.0.2.8") == 60


def test_workers_share_the_limit() -> None:
    assert taken(made(workers=4), 100) == 15
    assert taken(made(rate_token=2, workers=8), 100) == 1


def test_a_limit_of_0_is_none() -> None:
    assert taken(made(rate_token=0), 10_000) == 10_000


def test_a_clock_that_goes_back_does_no_harm() -> None:
    buckets = made()
    assert taken(buckets, 60) == 60
    assert taken(buckets, 10, now=NOW - timedelta(hours=1)) == 0


def test_without_an_address_there_is_a_limit_too() -> None:
    assert taken(made(), 100, address=None) == 60
    assert taken(made(), 100, address="testclient") == 60


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_BUCKETS_MOST", 100)
    buckets = made()
    for number in range(1000):
        taken(buckets, 1, client=f"app-{number}", address=f"10.0.{number // 250}.{number % 250}")
    assert len(buckets._buckets) <= 101
    taken(buckets, 60, now=NOW)
    for number in range(60):
        taken(buckets, 1, client=f"late-{number}", address="10.1.1.1", now=NOW + timedelta(minutes=2))
    assert len(buckets._buckets) <= 101
