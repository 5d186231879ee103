"""Words of people in Markdown, and days as people say them."""

from __future__ import annotations

import re
from datetime import date, timedelta

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(words: str) -> str:
    """`words` so that Markdown shows them as they are: no emphasis, link, image, formula or icon."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))


def day(of: date, *, today: date) -> str:
    """``Today``, ``Yesterday``, ``Friday 14 March``, with the year where it is another one."""
    if of == today:
        return "Today"
    if of == today - timedelta(days=1):
        return "Yesterday"
    return f"{of:%A} {of.day} {of:%B}" + ("" if of.year == today.year else f" {of.year}")


def month(of: date) -> str:
    return f"{of:%B %Y}"
