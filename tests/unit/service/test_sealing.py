"""What is sealed is opened by the same secret for the same purpose, unchanged, and in no other way."""

import pytest

from service.sealing import WrongSecret, seal, unseal

SECRET = b"s" * 32


def test_opens_what_was_sealed() -> None:
    for data in (b"", b"a key", b"x" * 10_000):
        assert unseal(SECRET, "key", seal(SECRET, "key", data)) == data


def test_seals_the_same_differently_each_time() -> None:
    assert seal(SECRET, "key", b"a key") != seal(SECRET, "key", b"a key")
    assert b"a key" not in seal(SECRET, "key", b"a key")


@pytest.mark.parametrize("at", [0, 11, 12, 20, -1])
def test_refuses_what_was_changed(at: int) -> None:
    sealed = bytearray(seal(SECRET, "key", b"a key"))
    sealed[at] ^= 1
    with pytest.raises(WrongSecret):
        unseal(SECRET, "key", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12, b"x" * 100])
def test_refuses_what_was_never_sealed(sealed: bytes) -> None:
    with pytest.raises(WrongSecret):
        unseal(SECRET, "key", sealed)


def test_refuses_another_secret_and_another_purpose() -> None:
    sealed = seal(SECRET, "key", b"a key")
    for secret, purpose in ((b"t" * 32, "key"), (SECRET, "second factor"), (SECRET, "")):
        with pytest.raises(WrongSecret) as raised:
            unseal(secret, purpose, sealed)
        assert "HEARTH_SECRET_KEY" in str(raised.value)
