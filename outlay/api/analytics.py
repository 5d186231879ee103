"""What a month came to and how it compares, over REST."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from outlay.api.analytics_schemas import DashboardOut
from outlay.api.contract import problems
from outlay.api.months import Month
from outlay.api.place import CurrentWorkspace
from outlay.ledger import clock
from outlay.ledger.queries import spending

router = APIRouter(prefix="/analytics", tags=["analytics"])


@router.get(
    "/dashboard", response_model=DashboardOut, responses=problems({409: "the warehouse has not been built yet"})
)
def read_dashboard(
    workspace: CurrentWorkspace,
    month: Annotated[Month | None, Query(description="Such as 2026-03; the present one, if you do not say.")] = None,
    merchants: Annotated[int, Query(ge=1, le=100, description="How many of the largest.")] = 10,
) -> spending.Spending:
    """A month's spending by category, merchant, account and member, beside the month before and that of a year ago.

    In the workspace's currency: from the warehouse, with what changed since its last build."""
    today: date = clock.today(workspace)
    with workspace.session() as connection:
        return spending.of_month(connection, workspace, month or today.replace(day=1), today=today, merchants=merchants)
