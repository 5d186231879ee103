"""How many lanes the projector writes with."""

import pytest

from ingestion.projection import Load, load


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(load, "time", clock)
    return clock


def many(asked: Load, clock: Clock, sizes: list[int], *, seconds: float = 0.125) -> list[int]:
    """How many lanes are asked for after each batch, with so many seconds before it."""
    lanes = []
    for size in sizes:
        clock.now += seconds
        asked.count(size, of=asked.lanes)
        lanes.append(asked.lanes)
    return lanes


def test_lanes_are_asked_for_when_batch_after_batch_is_full(clock):
    assert many(Load(3, full=100), clock, [100, 250, 100]) == [1, 1, 3]


def test_a_batch_that_is_not_full_says_that_one_lane_has_caught_up(clock):
    assert set(many(Load(3, full=100), clock, [100, 100, 99] * 5)) == {1}


def test_one_lane_comes_back_after_a_while_of_small_batches(clock):
    asked = Load(2, full=100)
    assert many(asked, clock, [100] * 3)[-1] == 2
    assert many(asked, clock, [3] * 16) == [2] * 16
    assert many(asked, clock, [3]) == [1]


def test_lanes_stay_for_a_pace_that_one_would_hardly_keep_up_with(clock):
    asked = Load(2, full=100)
    many(asked, clock, [100] * 3)
    assert set(many(asked, clock, [11, 9, 12] * 100)) == {2}


def test_a_lane_that_has_much_to_read_keeps_the_others_which_have_nothing(clock):
    asked = Load(2, full=100)
    many(asked, clock, [100] * 3)
    assert set(many(asked, clock, [200, 0, 0, 0, 0] * 20)) == {2}


def test_what_a_lane_of_another_number_says_comes_too_late(clock):
    asked = Load(2, full=100)
    many(asked, clock, [100] * 3)
    for _ in range(100):
        clock.now += 1
        asked.count(0, of=1)
    assert asked.lanes == 2


@pytest.mark.parametrize("lanes", [1, 2])
def test_where_one_number_is_allowed_it_is_asked_for(clock, lanes):
    asked = Load(lanes, fewest=lanes, full=100)
    assert set(many(asked, clock, [100] * 10 + [0] * 100)) == {lanes}
