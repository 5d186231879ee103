"""Today, where the workspace is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outlay.ledger.workspaces import Workspace


def zone(workspace: Workspace) -> ZoneInfo:
    """The workspace's time zone; UTC where it has none that is known."""
    try:
        return ZoneInfo(workspace.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def today(workspace: Workspace) -> date:
    return datetime.now(UTC).astimezone(zone(workspace)).date()
