"""JSON in and out: what is refused and where, what comes back as it was written, and what a hostile body costs."""

import time
from decimal import Decimal

import pytest

from schemas import json


@pytest.mark.parametrize("opened", [b"[", b'{"a":', b'[{"a":'])
def test_takes_a_hundred_levels_and_no_more(opened: bytes) -> None:
    closed = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opened]
    levels = 2 if len(closed) == 2 else 1
    json.decode(opened * (100 // levels) + b"1" + closed * (100 // levels))
    with pytest.raises(json.JsonFault, match="deeper than 100 levels"):
        json.decode(b"[" + opened * (100 // levels) + b"1" + closed * (100 // levels) + b"]")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'["\\ud800",' + b"[" * 100_000 + b"]" * 100_001])
def test_names_the_place_where_a_bottomless_body_is_too_deep(raw: bytes) -> None:
    with pytest.raises(json.JsonFault, match="deeper than 100 levels") as told:
        json.decode(raw)
    assert told.value.position in (100, 109)


def test_counts_no_brackets_inside_of_strings() -> None:
    assert json.decode(b'{"a":"' + b"[" * 500 + b'\\"{","b":[{}]}')["b"] == [{}]


def test_does_not_look_at_brackets_one_by_one() -> None:
    raw = b"[" + b",".join([b"[]"] * 300_000) + b"]"
    started = time.process_time()
    json.decode(raw)
    assert time.process_time() - started < 1


def test_keeps_every_digit() -> None:
    raw = b'{"a":0.010,"b":12345678901234567.890,"c":1.0}'
    assert json.decode(raw)["a"] == Decimal("0.010")
    assert json.encode(json.decode(raw)) == raw


@pytest.mark.parametrize(
    "number", [b"1.50E2", b"0.0000001", b"1e2", b"1E-7", b"-0.0", b"0e5", b"100000000000000000000.0"]
)
def test_keeps_the_spelling_of_a_number(number: bytes) -> None:
    raw = b'{"a":' + number + b"}"
    assert json.encode(json.decode(raw)) == raw
    assert json.decode(raw)["a"] == Decimal(number.decode())


@pytest.mark.parametrize("number", [b"1E9999999999999999999", b"9" * 5000, b"-" + b"9" * 5000])
def test_refuses_a_number_beyond_all_numbers(number: bytes) -> None:
    with pytest.raises(json.JsonFault, match="more digits"):
        json.decode(b'{"a":' + number + b"}")
