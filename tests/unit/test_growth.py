"""The arithmetic of docs/growth.md: so many events times what one took, and nothing else."""

from __future__ import annotations

import re

import pytest

from bench.growth import SIZES, of_many, of_one_event
from tests.support import PROJECT

MEASURED = {
    "events": 1_000_000,
    "more": 10_000,
    "bytes": {"kafka": 101_000_000, "postgres_gold": 505_000_000},
    "full": {
        "seconds": 200.0,
        "ends_after": {"bronze": 10.0, "silver": 120.0, "gold": 180.0},
        "steps": {"silver/transaction_batch": 30.0, "silver/transaction_events": 50.0},
    },
}
_ROW = re.compile(r"^(\S.{28}) *([\d.,]+) (B|us)((?: +[\d.,]+ \S+){3})$", re.MULTILINE)
_UNITS = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "min": 60e6, "h": 3600e6}


def test_an_event_took_its_part_of_each_step_and_the_steps_are_all():
    one = of_one_event(MEASURED, cores=2)
    assert one["bytes"] == {"kafka": 100.0, "postgres_gold": 500.0}
    assert one["us"]["staging (Spark)"] == 30.0
    assert one["us"]["audits, and waiting"] == 30.0
    assert sum(one["us"].values()) == pytest.approx(200.0)


def test_many_events_take_as_many_times_what_one_took():
    found = of_many(of_one_event(MEASURED, cores=2), 1_000_000_000, years=5, peak=10)
    assert found["bytes"]["postgres_gold"] == 500e9
    assert found["full_build_hours"] == pytest.approx(200_000 / 3600)
    assert found["staging_core_hours"] == pytest.approx(2 * 30_000 / 3600), "both cores are Spark's meanwhile"
    assert found["events_a_second_at_most"] == pytest.approx(10 * 1e9 / (5 * 365.25 * 86_400))


def test_each_figure_of_the_page_is_its_unit_times_the_events():
    page = (PROJECT / "docs" / "growth.md").read_text(encoding="utf-8")
    rows = _ROW.findall(page)
    assert len(rows) >= 13
    for name, unit, kind, sized in rows:
        one = float(unit.replace(",", ""))
        for events, (value, of) in zip(SIZES, re.findall(r"([\d.,]+) (\S+)", sized), strict=True):
            shown = float(value.replace(",", "")) * _UNITS[of]
            # The unit is shown to a byte or a tenth of a microsecond, the product to a tenth of what it is in.
            rounded = events * (0.5 if kind == "B" else 0.05) + 0.05 * _UNITS[of]
            assert shown == pytest.approx(one * events, abs=rounded * 1.01), name
