"""What the audit of a staged batch is told about it, from its Parquet alone."""

import json
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.batches.register import Staged
from orchestration.expectations.silver import event_frame

ID = str(UUID(int=7))


def test_the_rule_tells_things_of_one_id_apart_by_their_kind(tmp_path):
    """A workspace and an account may have the same id: each has a first version."""
    seen = [("workspace", "events"), ("account", "events"), ("budget", "quarantine"), ("budget", "events")]
    for offset, (entity, part) in enumerate(seen):
        (folder := tmp_path / part / "ingest_date=2026-01-05").mkdir(parents=True, exist_ok=True)
        row = {"workspace_id": ID, "entity_id": ID, "topic_id": "t", "partition": 0, "offset": offset, "version": 1}
        row |= {"event_id": str(UUID(int=offset)), "operation": "created", "decision": "accepted"}
        row |= {"entity": entity} if part == "events" else {"row": json.dumps({"entity": entity})}
        pq.write_table(pa.Table.from_pylist([row]), folder / f"{offset}.parquet")
    batch = Staged("", "user", [1], rows_read=4, events=3, rows_quarantined=1, passed=None)
    frame = event_frame(str(tmp_path), batch)
    assert dict(zip(frame["entity"], frame["decision_by_the_rule"], strict=True)) == {
        "workspace": "accepted",
        "account": "accepted",
        "budget": "stale",
    }
