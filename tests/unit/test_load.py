"""How many lanes the projector writes with."""

import pytest

from ingestion.projection import Load, load


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(load, "time", clock)
    return clock


class Pace:
    """Batches that come one after the other, so many seconds after the one before; counts lanes after each."""

    def __init__(self, asked: Load, clock: Clock):
        self.asked, self.clock = asked, clock

    def __call__(self, count: int, *, messages: int, waiting: int, seconds: float = 0.125) -> list[int]:
        lanes = []
        for _ in range(count):
            self.clock.now += seconds
            self.asked.count(messages, waiting=waiting, of=self.asked.lanes)
            lanes.append(self.asked.lanes)
        return lanes


@pytest.mark.parametrize("seconds", [0.01, 0.1, 1, 10])
def test_lanes_are_asked_for_when_batch_after_batch_leaves_much_waiting_however_long_one_takes(clock, seconds):
    behind = Pace(Load(3, much=100), clock)
    assert behind(3, messages=50, waiting=100, seconds=seconds) == [1, 1, 3]


def test_one_lane_is_enough_where_now_and_then_nothing_waits(clock):
    pace = Pace(Load(3, much=100), clock)
    for _ in range(10):
        assert pace(2, messages=5_000, waiting=5_000) == [1, 1]
        assert pace(1, messages=5_000, waiting=99) == [1]


def test_one_lane_comes_back_when_the_pace_is_half_of_what_it_could_do(clock):
    pace = Pace(Load(2, much=100), clock)
    assert pace(3, messages=100, waiting=100)[-1] == 2  # 800 a second
    assert set(pace(100, messages=51, waiting=0)) == {2}
    assert pace(40, messages=50, waiting=0)[-1] == 1


@pytest.mark.parametrize("lanes", [2, 8])
def test_lanes_stay_for_a_pace_that_one_would_hardly_keep_up_with_however_small_their_batches(clock, lanes):
    pace = Pace(Load(lanes, much=100), clock)
    pace(3, messages=1_000, waiting=5_000)  # 8,000 a second
    assert set(pace(20_000, messages=5, waiting=0, seconds=0.001)) == {lanes}


def test_lanes_stay_for_what_waits_however_slowly_it_is_written(clock):
    pace = Pace(Load(2, much=100), clock)
    pace(3, messages=1_000, waiting=5_000)
    assert set(pace(100, messages=1, waiting=5_000)) == {2}


def test_a_switch_that_takes_long_is_no_calm(clock):
    pace = Pace(Load(2, much=100), clock)
    pace(3, messages=1_000, waiting=5_000)
    clock.now += 10
    assert pace(2, messages=0, waiting=0) == [2, 2]


def test_after_a_moment_of_nothing_one_lane_is_enough(clock):
    pace = Pace(Load(2, much=100), clock)
    pace(3, messages=1_000, waiting=5_000)
    assert pace(18, messages=0, waiting=0) == [2] * 17 + [1]


def test_what_a_lane_of_another_number_says_comes_too_late(clock):
    asked = Load(2, much=100)
    Pace(asked, clock)(3, messages=100, waiting=100)
    for _ in range(100):
        clock.now += 1
        asked.count(0, waiting=0, of=1)
    assert asked.lanes == 2


@pytest.mark.parametrize("lanes", [1, 2])
def test_where_one_number_is_allowed_it_is_asked_for(clock, lanes):
    pace = Pace(Load(lanes, fewest=lanes, much=100), clock)
    assert set(pace(10, messages=100, waiting=100) + pace(100, messages=0, waiting=0)) == {lanes}
