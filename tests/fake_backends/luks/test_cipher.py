"""Sector encryption, against published vectors and the ways in which volume types name ciphers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_backends.luks.cipher import SectorCipher
from harness.errors import InvalidArgument

CIPHERS = [
    ("aes-xts-plain64", 32),
    ("aes-xts-plain64", 64),
    ("aes-cbc-essiv:sha256", 32),
    ("aes-cbc-plain", 16),
]


def test_a_vector_of_the_standard() -> None:
    """IEEE 1619-2007, annex B, vector 4: sector 0, 512 bytes that count up."""
    key = bytes.fromhex("2718281828459045235360287471352631415926535897932384626433832795")
    plain = bytes(range(256)) * 2
    cipher = SectorCipher("aes-xts-plain64", key).encrypt(0, plain)
    assert cipher.startswith(bytes.fromhex("27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c"))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CIPHERS), st.integers(0, 1 << 50), st.sampled_from([512, 4096]), st.binary(max_size=64))
def test_what_is_encrypted_comes_back(cipher: tuple[str, int], sector: int, unit: int, start: bytes) -> None:
    """In any mode, at any place, in sectors of any size; and it looks different elsewhere."""
    name, length = cipher
    sectors = SectorCipher(name, bytes(range(length)), unit)
    plain = start.ljust(2 * unit, b"p")
    encrypted = sectors.encrypt(sector * 512, plain)
    assert sectors.decrypt(sector * 512, encrypted) == plain
    assert encrypted not in (plain, sectors.encrypt(sector * 512 + 2 * unit, plain))


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("serpent-xts-plain64", 32),
        ("aes-gcm-random", 32),
        ("aes-xts-tcw", 32),
        ("aes-xts-plain64", 24),
        ("aes", 32),
    ],
)
def test_other_ciphers_are_refused(name: str, length: int) -> None:
    """As is a key of a length that the cipher does not have."""
    with pytest.raises(InvalidArgument, match=name):
        SectorCipher(name, bytes(range(length)))
