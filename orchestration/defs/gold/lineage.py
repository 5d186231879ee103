"""Which columns each column of a model is made of: dagster-dbt reads it from the SQL; kept until that changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from dagster import MetadataValue, deserialize_value, serialize_value

from outlay.stack import files

LINEAGE = "dagster/column_lineage"
"""The metadata of an output that Dagster shows as the lineage of its columns."""


class Lineage:
    """The lineage of a manifest's models, some of it from a file: to read it from SQL takes seconds for all of them.

    Args:
        manifest: dbt's, as JSON. Columns that it does not name are in nobody's lineage.
        folder: of what dbt has compiled; the file is there too.
    """

    def __init__(self, manifest: Mapping[str, Any], folder: Path):
        self._nodes = {**manifest["nodes"], **manifest["sources"]}
        self._folder, self._file = folder, folder / "lineage.json"
        self._known: dict[str, dict[str, str]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text())

    def remembered(self, unique_id: str) -> dict[str, MetadataValue]:
        """Metadata of a model with its lineage; empty where it is not known, or was of other SQL."""
        known = self._known.get(unique_id)
        if known is None or known["of"] != self._version(unique_id):
            return {}
        return {LINEAGE: deserialize_value(known["lineage"], MetadataValue)}

    def asked(self, unique_id: str) -> dict[str, Any]:
        """What dagster-dbt reads a model's lineage with: its columns, and those of what it selects from."""
        parents = (self._nodes.get(parent) for parent in self._nodes[unique_id]["depends_on"].get("nodes", ()))
        return {
            "columns": _columns(self._nodes[unique_id]),
            "parents": {parent["relation_name"]: {"columns": _columns(parent)} for parent in parents if parent},
        }

    def remember(self, unique_id: str, metadata: Mapping[str, Any]) -> None:
        """Keep what dagster-dbt has found."""
        found = metadata.get(LINEAGE)
        if found is not None:
            self._known[unique_id] = {"of": self._version(unique_id), "lineage": serialize_value(found)}
            files.write(self._file, json.dumps(self._known))

    def _version(self, unique_id: str) -> str:
        node = self._nodes[unique_id]
        path = self._folder / "compiled" / node["package_name"] / node["original_file_path"]
        sql = path.read_text() if path.is_file() else ""  # a seed has none
        return sha256(f"{sql}{json.dumps(self.asked(unique_id), sort_keys=True)}".encode()).hexdigest()


def _columns(node: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {"data_type": column.get("data_type") or "text"} for name, column in node["columns"].items()}
