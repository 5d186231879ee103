"""Whatever stands in the log, the projector goes on, and each message is decided on or kept whole as a dead letter.

The long run is `python -m tests.chaos.fuzz_run --messages 1000000`.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.fuzz import ONE_FIELD
from tests.chaos.fuzz_check import REASONS
from tests.chaos.fuzz_run import fuzzed

pytestmark = [pytest.mark.chaos, pytest.mark.large, pytest.mark.timeout(300)]


def test_twenty_thousand_fuzzed_messages_are_each_decided_on_or_a_dead_letter_with_its_bytes(stack):
    seed = int(os.environ.get("OUTLAY_FUZZ_SEED", random.randrange(1 << 32)))  # noqa: S311
    print(f"again with OUTLAY_FUZZ_SEED={seed}")
    report = fuzzed(stack, seed=seed, count=20_000)
    assert report.findings.failed == 0, f"seed {seed}:\n" + "\n".join(report.findings.failures)
    assert sum(report.findings.outcomes.values()) == 20_000
    assert report.one_field_share >= 0.4
    sent, known = report.changes
    assert sent == known > 3_000
    assert set(report.by_outcome()) == {"accepted", "duplicate", "stale", "dead letter"}
    assert set(report.findings.reasons) == set(REASONS)
    decided = {kind: {of for name, of in report.findings.outcomes if name == kind} for kind in report.by_kind()}
    assert decided[ONE_FIELD] >= {"accepted", "dead letter"}
    for kind in ("valid", "a newer schema", "an older schema"):
        assert decided[kind] == {"accepted"}
    for kind in ("truncated", "tombstone", "empty", "wrong magic byte", "unknown schema id", "schema of somebody else"):
        assert decided[kind] == {"dead letter"}
    assert decided["sent again"] == {"duplicate"}
    assert decided["late"] == {"stale"}
    assert (report.outages, report.findings.current["transaction"] > 1_000) == (0, True)
