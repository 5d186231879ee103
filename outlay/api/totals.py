"""What months come to, over REST, as live has it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from outlay.api.months import Month
from outlay.api.place import CurrentWorkspace
from outlay.api.schemas import TotalOut
from outlay.ledger.queries import totals
from outlay.ledger.queries.expenses import Kind

router = APIRouter(tags=["expenses"])


@router.get("/totals", response_model=list[TotalOut])
def read_totals(
    workspace: CurrentWorkspace,
    first: Annotated[Month, Query(alias="from", description="The first month, such as 2026-01.")],
    last: Annotated[Month, Query(alias="to", description="The last month, such as 2026-03.")],
    by: Annotated[list[totals.Dimension], Query(description="What to tell apart besides month and currency.")] = (),
    kind: Annotated[list[Kind] | None, Query(description="Only these kinds.")] = None,
) -> list[totals.Total]:
    """What each month comes to, in the currencies of the purchases: as new as the newest expense, without a scan."""
    with workspace.session() as connection:
        return totals.by_month(connection, first, last, by=by, kinds=kind)
