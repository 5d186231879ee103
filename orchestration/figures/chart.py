"""Small bar charts as Markdown: an SVG within the text, which Dagster's pages show without asking anybody for it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LABEL, _GAP = 640, 44, 18, 8
_WIDEST = 32  # a bar with the gap to the next
_BAR, _TEXT = "#4f7fd6", "#8a8f98"  # to be read on white and on black


@dataclass(frozen=True)
class Bars:
    """Numbers, none below zero, the oldest first."""

    title: str
    values: Sequence[float]


def chart(rows: Sequence[Bars], *, alt: str) -> str:
    """A row of bars for each of `rows`, each to a scale of its own, with its newest and its largest value.

    Args:
        alt: what it shows, for those who do not see it.
    """
    return f"![{alt}](data:image/svg+xml;base64,{b64encode(svg(rows).encode()).decode()})"


def svg(rows: Sequence[Bars]) -> str:
    """The picture itself."""
    height = (_LABEL + _HEIGHT + _GAP) * len(rows)
    drawn = "".join(_row(bars, top=(_LABEL + _HEIGHT + _GAP) * number) for number, bars in enumerate(rows))
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    font = f'font-family="system-ui, sans-serif" font-size="12" fill="{_TEXT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{drawn}</svg>'


def _row(bars: Bars, *, top: int) -> str:
    largest = max(bars.values, default=0)
    newest = bars.values[-1] if bars.values else 0
    step = min(_WIDTH / max(len(bars.values), 1), _WIDEST)
    base = top + _LABEL + _HEIGHT
    drawn = "".join(
        f'<rect x="{step * number:.1f}" y="{base - high:.1f}" width="{step * 0.8:.1f}" height="{high:.1f}"'
        f' fill="{_BAR}"/>'
        for number, value in enumerate(bars.values)
        if (high := _HEIGHT * value / largest if largest else 0)
    )
    said = f"{bars.title}: {_plain(newest)}, at most {_plain(largest)}"
    line = f'<path d="M0 {base}.5H{_WIDTH}" stroke="{_TEXT}" stroke-width="0.5"/>'
    return f'<text x="0" y="{top + 12}">{escape(said)}</text>{drawn}{line}'


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:,.1f}"
