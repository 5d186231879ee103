"""A rate is told only where there is one."""

from __future__ import annotations

import pytest

from bench.live.measure import Failed, steady


def test_a_rate_begins_where_a_fifth_is_there():
    marks = steady([(float(second), 100) for second in range(1, 11)], 1_000)
    assert marks == [(float(tenth), 100 * tenth) for tenth in range(2, 11)]


def test_what_came_in_a_few_large_pieces_has_no_rate():
    with pytest.raises(Failed, match="75,000 of 150,000 events in one transaction: take more events"):
        steady([(1.0, 75_000), (1.2, 75_000)], 150_000)


@pytest.mark.parametrize("steps", [[], [(1.0, 10)] * 9])
def test_what_is_not_all_there_has_no_rate(steps):
    with pytest.raises(Failed, match=r"it wrote \d+ of 100 events"):
        steady(steps, 100)
