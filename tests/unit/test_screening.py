"""What the screen passes is exactly what the decoder reads, and the decoder sees all the rest."""

import random
from uuid import UUID

import fastavro
import pytest

from ingestion import contracts
from ingestion.codec import FRAME, Codec, Unreadable
from ingestion.screening import Screen
from tests.unit.encoded import encoded, knowing_codec, others, transactions


@pytest.fixture(scope="module")
def codec() -> Codec:
    return knowing_codec()


def screen(topic: str) -> Screen:
    return Screen(fastavro.parse_schema(contracts.schema(topic)), skip=FRAME)


def readable(codec: Codec, topic: str, value: bytes) -> bool:
    try:
        codec.decode(topic, value, as_written=True)
    except Unreadable:
        return False
    return True


def test_events_of_the_contracts_pass(codec):
    values = [encoded("transaction", event) for event in transactions()]
    assert screen("transaction").passes(values) == [True] * len(values)
    for topic, event in others():
        value = encoded(topic, event)
        assert readable(codec, topic, value)
        assert screen(topic).passes([value]) == [True]


@pytest.mark.parametrize("seed", range(4))
def test_no_damaged_value_passes_that_the_decoder_refuses(codec, seed):
    """Each byte is changed, and values are cut and lengthened; their neighbours still pass."""
    chance = random.Random(seed)  # noqa: S311
    good = [encoded("transaction", event) for event in transactions()]
    values = []
    for value in good:
        for place in range(FRAME, len(value)):
            changed = bytearray(value)
            changed[place] = chance.choice((0, 1, 2, 3, 127, 128, 255, changed[place] ^ (1 << chance.randrange(8))))
            values.append(bytes(changed))
        cut = chance.randrange(FRAME, len(value))
        values += [value[:cut], value + b"\0", value[:cut] + value[cut + 1 :], value[:cut] + b"\xff" * 9 + value[cut:]]
    chance.shuffle(values)
    values = [each for value in values for each in (value, chance.choice(good))]
    passed = screen("transaction").passes(values)
    verdicts = [readable(codec, "transaction", value) for value in values]
    assert not [value.hex() for value, passes, reads in zip(values, passed, verdicts, strict=True) if passes > reads]
    assert all(passed[1::2])
    assert sum(verdicts) - sum(passed) < len(values) / 20


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"description": "a\0b"}, "NUL"),
        ({"tags": ["fine", "\0"]}, "NUL"),
    ],
)
def test_what_postgresql_cannot_hold_does_not_pass(codec, changes, why):
    value = encoded("transaction", transactions()[0] | changes)
    assert screen("transaction").passes([value]) == [False]
    with pytest.raises(Unreadable, match=why):
        codec.decode("transaction", value, as_written=True)


def test_what_the_screen_cannot_tell_is_left_to_the_decoder(codec):
    plain = encoded("transaction", transactions()[0])
    bare = plain.replace(str(UUID(int=2)).encode(), b"{" + UUID(int=2).hex.encode() + b"}  ")
    assert screen("transaction").passes([bare, plain]) == [False, True]
    unknown = fastavro.parse_schema(
        {"type": "record", "name": "R", "fields": [{"name": "m", "type": {"type": "map", "values": "int"}}]}
    )
    assert Screen(unknown, skip=0).passes([b"\0", b""]) == [False, False]
    assert screen("transaction").passes([]) == []
    assert screen("transaction").passes([b"", b"\0\0\0"]) == [False, False]


@pytest.mark.parametrize("length", [299, 300, 301, 70_000])
@pytest.mark.parametrize("odd", [b"\0", b"\xff"])
def test_a_text_is_looked_at_to_its_end(length, odd):
    good = encoded("transaction", transactions()[0] | {"note": "x" * length})
    bad = good.replace(b"x" * length, b"x" * (length - 1) + odd)
    assert len(bad) == len(good)
    assert screen("transaction").passes([good, bad, good]) == [True, False, True]
