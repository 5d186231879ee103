"""The settings of the embedded PostgreSQL."""

from __future__ import annotations

import pytest

from outlay.stack.services import postgres

GIB = 2**30


@pytest.mark.parametrize(("memory", "buffers"), [(1 * GIB, "128MB"), (8 * GIB, "512MB"), (64 * GIB, "1024MB")])
def test_the_buffers_are_a_sixteenth_of_the_memory_within_bounds(memory, buffers):
    given = [part for part in postgres.options(host="127.0.0.1", memory=memory) if "shared_buffers" in part]
    assert given == [f"shared_buffers={buffers}"]
