"""Bronze: the log landed in the lake."""

from collections import Counter
from collections.abc import Iterator

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, MetadataValue, multi_asset

from ingestion.contracts import TOPICS
from ingestion.landing import Landed, land
from ingestion.landing.manifest import all_offsets
from orchestration import figures
from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings


def _spec(topic: str) -> AssetSpec:
    return AssetSpec(
        ["bronze", topic],
        deps=[["kafka", topic]],
        description=(
            f"Every event of the topic {topic} as its writer encoded it, with its place in the log: Avro container"
            " files in the lake, named by the manifest (bronze.files). Beside them lands what cannot be decoded, with"
            " the reason."
        ),
        group_name="bronze",
        kinds={"kafka", "avro"},
        owners=["team:data"],
        tags={"outlay/layer": "bronze"},
    )


@multi_asset(
    name="bronze",
    specs=[_spec(topic) for topic in TOPICS],
    can_subset=True,
    description="Lands every event that the topics held when it began. Interrupted, it loses and doubles nothing.",
)
def bronze(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    here = settings()
    chosen = [topic for topic in TOPICS if any(key.path[-1] == topic for key in context.selected_asset_keys)]
    with retried():
        landed = land(
            bootstrap=here.bootstrap,
            registry_url=here.registry,
            lake=here.lake,
            connect=lambda: session("pipeline"),
            topics=chosen,
        )
        with session("pipeline") as connection:
            stands = Counter()
            for partition, offset in all_offsets(connection, chosen).items():
                stands[partition.topic] += offset
    for each in landed:
        if each.unreadable:
            context.log.warning(f"{each.unreadable} events of {each.topic} are unreadable: see bronze/unreadable")
        yield MaterializeResult(asset_key=["bronze", each.topic], metadata=_metadata(each, stands[each.topic]))


def _metadata(landed: Landed, stands: int) -> dict:
    return figures.metadata(
        rows_read=landed.rows + landed.unreadable,
        rows_written=landed.rows,
        rows_unreadable=landed.unreadable,
        row_count=stands,  # places of the log up to where bronze stands: the manifest need not be added up
        files=landed.files,
        bytes=landed.bytes,
        offsets=MetadataValue.json({str(p): list(moved) for p, moved in sorted(landed.offsets.items())}),
        seconds=landed.seconds,
    )
