"""What a reading process says about a master's luminance is checked before anything is held against it."""

import pytest

from restoration.masters.decoder_agreement import ReferenceDigests
from restoration.masters.sandbox.client import _reference_of
from restoration.masters.sandbox.protocol import ProtocolError

GRAY, ALPHA = "a1" * 32, "0f" * 32
WORDS = {"decoders": 2, "gray_sha256": GRAY, "alpha_sha256": ALPHA}


@pytest.mark.parametrize("decoders", [1, 2])
def test_what_was_seen_arrives(decoders: int) -> None:
    assert _reference_of(WORDS | {"decoders": decoders}) == ReferenceDigests(decoders, GRAY, ALPHA)


@pytest.mark.parametrize(
    "words",
    [
        None,
        [],
        {},
        WORDS | {"decoders": 3},
        WORDS | {"decoders": "2"},
        WORDS | {"gray_sha256": GRAY[1:]},
        WORDS | {"gray_sha256": GRAY.upper()},
        WORDS | {"alpha_sha256": None},
        WORDS | {"more": 1},
    ],
)
def test_anything_else_is_garbled(words: object) -> None:
    with pytest.raises(ProtocolError):
        _reference_of(words)
