"""The reference of the acceptance rule gives the decisions of the vectors, wherever the log is cut into batches."""

import pytest

from ingestion.acceptance import Seen, decide
from tests.vectors.load import Vector, acceptance


@pytest.mark.parametrize("vector", acceptance(), ids=lambda vector: vector.name)
def test_vector(vector: Vector):
    for batches in vector.splits():
        seen = Seen()
        decisions = [decision for batch in batches for decision in decide(batch, seen)]
        assert tuple(decisions) == vector.decisions, f"cut into {[len(batch) for batch in batches]}"


def test_the_vectors_hold_every_decision_and_more_than_one_thing():
    vectors = acceptance()
    assert {decision for vector in vectors for decision in vector.decisions} == {"accepted", "duplicate", "stale"}
    assert any(len({event.entity_id for event in vector.events}) > 1 for vector in vectors)
    assert len({vector.name for vector in vectors}) == len(vectors)
