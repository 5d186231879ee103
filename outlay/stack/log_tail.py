"""Why a server ended, from the end of its log: one line out of a stack trace."""

from __future__ import annotations

import re
from pathlib import Path

_TAIL_BYTES = 64_000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CAUSE = re.compile(r"^Caused by: (?P<said>.+)")
_RAISED = re.compile(r"^(?P<said>[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b.*|.*\b(FATAL|ERROR)\b.*)")
_CHAINED = ("The above exception was the direct cause of", "During handling of the above exception")


def last_words(log: Path) -> str:
    """The reason that the log `log` ends with, or its last line; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return reason(file.read().decode(errors="replace"))


def reason(text: str) -> str:
    """The line that names the root cause of the last failure: the last `Caused by:` of Java, the first error of
    Python's last chain of tracebacks; otherwise the last line."""
    lines = [line for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    found = ""
    chained = False
    for line in lines:
        if cause := _CAUSE.match(line):
            found = cause["said"]
        elif line.startswith(_CHAINED):
            chained = True
        elif raised := _RAISED.match(line):
            found = found if chained else raised["said"]
            chained = False
    return (found or (lines[-1] if lines else "")).strip()
