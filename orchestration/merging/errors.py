"""Why a merge is not done. Each message is one line; nothing that a reader sees was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.merging.days import Day


class MergeRunning(RuntimeError):
    """Another merge has the turn."""

    def __init__(self) -> None:
        super().__init__(
            "another merge has been running for 10 minutes: look at it in Dagster, end it if it hangs, and start this"
            " one again"
        )


class NotMerged(RuntimeError):
    """A day that is left as it was."""

    def __init__(self, day: Day, why: str) -> None:
        super().__init__(f"{day.topic} of {day.on} was not merged, and is as it was: {why}")
