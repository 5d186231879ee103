"""What people decide about quarantined events, from Dagster's launchpad; `outlay quarantine` does the same."""

from collections.abc import Callable, Iterable
from functools import partial

from dagster import Config, Failure, MaterializeResult, asset
from pydantic import Field

from ingestion.place import NotAPlace, Place
from orchestration.retries import retried
from outlay.api.changes import NotChanges, changes_of
from outlay.db import session
from outlay.ledger import quarantine
from outlay.ledger.commands import Ledger, NotFound, Refused

_PLACES = "Where the events stand in the log, such as transaction/3@42: `outlay quarantine list` shows it."
_REFUSED = (
    NotAPlace,
    NotChanges,
    NotFound,
    Refused,
    quarantine.NotCorrectable,
    quarantine.NotQuarantined,
    quarantine.NotReleasable,
)


class Releases(Config):
    places: list[str] = Field(min_length=1, description=_PLACES)
    reason: str = Field(min_length=1, description="Why they are right as they are.")
    released_by: str = Field(min_length=1, description="Who says so.")


class Correction(Config):
    place: str = Field(description=_PLACES)
    changes: list[str] = Field(min_length=1, description="FIELD=VALUE, such as occurred_on=2026-05-02.")


class Corrections(Config):
    corrections: list[Correction] = Field(min_length=1)


@asset(
    # It reads silver/quarantine and is read by what that is made of: no circle is drawn. Nor is it upstream of a build:
    # as long as nothing was ever released, Dagster's pages would ask whoever starts one whether they are sure.
    key=["silver", "releases"],
    group_name="quarantine",
    kinds={"postgres"},
    owners=["team:data"],
    tags={"outlay/layer": "silver"},
    metadata={"dagster/table_name": "outlay.silver.releases"},
)
def releases(config: Releases) -> MaterializeResult:
    """Events that count although they break a rule, because somebody said so: the next build publishes them, and so
    does every later making of silver from bronze. To be run by hand, with the places.
    """
    with retried(), session("pipeline", autocommit=True) as connection:

        def one(place: str) -> str:
            new = quarantine.release(connection, Place.parse(place), by=config.released_by, reason=config.reason)
            return "released" if new else "released before"

        return _done([(place, partial(one, place)) for place in config.places])


@asset(
    key=["silver", "corrections"],
    deps=[["silver", "quarantine"]],
    group_name="quarantine",
    kinds={"kafka"},
    owners=["team:data"],
    tags={"outlay/layer": "log"},
)
def corrections(config: Corrections) -> MaterializeResult:
    """New versions of transactions whose events were set aside, appended to the log as any change in the app is. To be
    run by hand, with the places and fields.
    """
    with retried(), Ledger() as ledger, session("pipeline", autocommit=True) as connection:

        def one(correction: Correction) -> str:
            held = quarantine.find(connection, Place.parse(correction.place))
            answer = quarantine.correct(ledger, held, changes_of(correction.changes))
            return f"{answer.decision}, version {answer.version}"

        return _done([(each.place, partial(one, each)) for each in config.corrections])


def _done(steps: Iterable[tuple[str, Callable[[], str]]]) -> MaterializeResult:
    """Take every step, and fail in the end where any was refused: what was done stays done, and can be run again."""
    outcomes, refused = {}, {}
    for place, step in steps:
        try:
            outcomes[place] = step()
        except _REFUSED as error:
            refused[place] = str(error)
    metadata = {"rows_written": len(outcomes), "outcomes": outcomes}
    if refused:
        said = "\n".join(f"{place}: {why}" for place, why in refused.items())
        raise Failure(said, metadata=metadata | {"refused": refused}, allow_retries=False)
    return MaterializeResult(metadata=metadata)
