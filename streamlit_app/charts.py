"""The charts: pure functions from rows to Altair. Bars and lines are drawn from floats; every figure that is read is
the exact amount, shown by `outlay.money`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import altair as alt

_BAR, _ROW = 18, 34  # pixels
_LONGEST_NAME = 170
_AMOUNTS = 108  # pixels at the right, for the amounts


@dataclass(frozen=True)
class Palette:
    accent: str
    soft: str
    ink: str
    quiet: str


LIGHT = Palette(accent="#0B6E5B", soft="#BFDAD3", ink="#16211E", quiet="#6B7B77")
DARK = Palette(accent="#3FB497", soft="#2A5A4E", ink="#E8EEEC", quiet="#9DAAA6")


@dataclass(frozen=True)
class Bar:
    name: str
    amount: Decimal
    shown: str
    before: Decimal | None = None
    before_shown: str = ""
    note: str = ""


def ranked(bars: Sequence[Bar], palette: Palette, *, before: str = "") -> alt.LayerChart:
    """Horizontal bars in the order given, each with its amount at the right edge; a tick marks what it was `before`."""
    rows = [
        {
            "name": bar.name,
            "amount": float(bar.amount),
            "shown": bar.shown,
            "before": None if bar.before is None else float(bar.before),
            "before_shown": bar.before_shown,
            "note": bar.note,
        }
        for bar in bars
    ]
    largest = max([abs(row["amount"]) for row in rows] + [abs(row["before"] or 0) for row in rows] + [0.01])
    least = min([row["amount"] for row in rows] + [0])
    tooltip = [alt.Tooltip("name:N", title=" "), alt.Tooltip("shown:N", title="Spent")]
    if before:
        tooltip.append(alt.Tooltip("before_shown:N", title=before))
    if any(bar.note for bar in bars):
        tooltip.append(alt.Tooltip("note:N", title="Purchases"))
    base = alt.Chart(alt.Data(values=rows), height=alt.Step(_ROW)).encode(
        y=alt.Y(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(
                labelLimit=_LONGEST_NAME,
                ticks=False,
                domain=False,
                labelPadding=8,
                labelFontSize=13,
                labelColor=palette.ink,
            ),
        ),
        tooltip=tooltip,
    )
    scale = alt.Scale(domain=[least, largest], range=[0, {"expr": f"max(width - {_AMOUNTS}, 10)"}], nice=False)
    x = alt.X("amount:Q", title=None, axis=None, scale=scale)
    layers = [
        base.mark_bar(height=_BAR, cornerRadiusEnd=3, color=palette.accent).encode(x=x),
        base.mark_text(align="right", fontSize=13, color=palette.ink).encode(x=alt.value("width"), text="shown:N"),
    ]
    if before:
        tick = base.transform_filter("datum.before > 0").mark_tick(thickness=2, size=_BAR + 8, color=palette.quiet)
        layers.insert(1, tick.encode(x=alt.X("before:Q", axis=None, scale=scale)))
    return alt.layer(*layers).configure_view(strokeWidth=0)


@dataclass(frozen=True)
class Column:
    name: str
    amount: Decimal
    shown: str
    chosen: bool


def columns(entries: Sequence[Column], palette: Palette) -> alt.LayerChart:
    """One column a month; the chosen one stands out."""
    rows = [
        {"name": entry.name, "amount": float(entry.amount), "shown": entry.shown, "chosen": entry.chosen}
        for entry in entries
    ]
    base = alt.Chart(alt.Data(values=rows), height=260).encode(
        x=alt.X(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelExpr="split(datum.label, ' ')", labelPadding=8),
        ),
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("shown:N", title="Spent")],
    )
    bar = base.mark_bar(cornerRadiusEnd=4, width={"band": 0.66}).encode(
        y=alt.Y("amount:Q", title=None, axis=alt.Axis(format="~s", tickCount=4, ticks=False, domain=False)),
        color=alt.condition("datum.chosen", alt.value(palette.accent), alt.value(palette.soft)),
    )
    return alt.layer(bar).configure_view(strokeWidth=0)


@dataclass(frozen=True)
class Point:
    series: str
    day: int
    amount: Decimal
    shown: str


def running(points: Sequence[Point], palette: Palette, *, now: str, before: str) -> alt.LayerChart:
    """Spending summed up day by day, this month over the one before."""
    rows = [{"series": p.series, "day": p.day, "amount": float(p.amount), "shown": p.shown} for p in points]
    series = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=[now, before], range=[palette.accent, palette.quiet]),
        legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=3),
    )
    base = alt.Chart(alt.Data(values=rows), height=260).encode(
        x=alt.X(
            "day:Q",
            title=None,
            scale=alt.Scale(domain=[1, 31], nice=False),
            axis=alt.Axis(values=[1, 5, 10, 15, 20, 25, 30], format="d", grid=False, ticks=False, domain=False),
        ),
        y=alt.Y("amount:Q", title=None, axis=alt.Axis(format="~s", tickCount=4, ticks=False, domain=False)),
        color=series,
        tooltip=[
            alt.Tooltip("series:N", title=" "),
            alt.Tooltip("day:Q", title="Up to day"),
            alt.Tooltip("shown:N", title="Spent"),
        ],
    )
    lines = base.mark_line(interpolate="step-after", strokeWidth=2.5).encode(
        strokeDash=alt.condition(alt.datum.series == now, alt.value([1, 0]), alt.value([4, 3])),
        detail="series:N",
    )
    hover = base.mark_point(size=160, opacity=0)
    return alt.layer(lines, hover).configure_view(strokeWidth=0)
