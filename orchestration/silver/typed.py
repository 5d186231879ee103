"""Events to the columns of silver's tables, with the types of those tables."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ingestion import contracts
from ingestion.events import ENVELOPE, NIL
from orchestration.silver.read import PLACE

_JSON = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}
_ENTITY_ID = {"transaction": "transaction_id", "user": "entity_id", "report": "report_id", "reminder": "reminder_id"}

_TRANSACTION = (
    *("transaction_id", "version", "operation", "kind", "status", "account_id", "occurred_on", "occurred_at_local"),
    *("posted_on", "amount", "currency", "merchant", "description", "counterparty", "category_id", "category_source"),
    *("category_confidence", "decided_by", "mcc", "note", "tags", "lines", "refund_of", "transfer_pair", "import_id"),
)
_COMMON = ("actor_id", "source", "external_id", "correlation_id", "occurred_at", "recorded_at")


def typed(topic: str, events: DataFrame) -> DataFrame:
    """One row an event. `entity_id` names the thing it is about; `event` is the whole event as JSON.

    An event without a workspace carries the nil UUID, as tables have it; `workspace_given` says whether it had one.
    Transactions keep their fields as columns (`tags` as JSON, and as an array in `tag_list`), the other topics have
    theirs in `state` (JSON).
    """
    own = [field["name"] for field in contracts.schema(topic)["fields"] if field["name"] not in ENVELOPE]
    fields = _TRANSACTION if topic == "transaction" else ("version", "operation")
    columns = {
        "workspace_id": F.coalesce("workspace_id", F.lit(str(NIL))),
        "workspace_given": F.coalesce(F.col("workspace_id") != str(NIL), F.lit(False)),
        "event_id": F.col("event_id"),
        "entity": F.col("entity") if topic == "user" else F.lit(topic),
        "entity_id": F.col(_ENTITY_ID[topic]),
        "event": _json(topic, [*ENVELOPE, *own]),
        **{name: F.col(name) for name in (*fields, *_COMMON)},
    }
    if topic == "transaction":
        columns |= {"tags": F.to_json("tags"), "tag_list": F.col("tags")}
    else:
        columns["state"] = _json(topic, own)
    return events.select(*PLACE, "logged_at", "ingest_date", *(column.alias(name) for name, column in columns.items()))


def _json(topic: str, fields: list[str]) -> Column:
    """The fields as one JSON object: decimals as text, instants with microseconds and their offset, nulls left out."""
    values = {name: F.col(name) for name in fields}
    if topic == "transaction":
        values["amount"] = F.col("amount").cast("string")
        values["lines"] = F.transform("lines", lambda line: line.withField("amount", line["amount"].cast("string")))
    elif topic == "user" and "budget" in values:
        values["budget"] = F.col("budget").withField("amount", F.col("budget.amount").cast("string"))
    return F.to_json(F.struct(*(value.alias(name) for name, value in values.items())), _JSON)
