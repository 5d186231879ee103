"""Events to bytes and back: Avro in the Confluent framing (magic byte 0, schema id in 4 bytes, Avro data)."""

from __future__ import annotations

import json
import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from cachetools import TTLCache
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # whichever of its two HTTP clients it chose
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

from ingestion import contracts, wire
from ingestion.compatibility import breaks
from ingestion.conformance import Check, NotConforming, compiled

_FRAME = struct.Struct(">bI")
FRAME = _FRAME.size
"""Bytes of the framing before the Avro."""

_NOT_FOUND = 404
_REQUEST = {"timeout": 5, "max.retries": 1, "retries.wait.ms": 200, "retries.max.wait.ms": 200}
# What fastavro raises for bytes that the schema did not write.
_GARBAGE = (
    *(EOFError, IndexError, KeyError, ValueError, TypeError, OverflowError, ArithmeticError, MemoryError),
    SchemaResolutionError,
)
_LONGEST_REASON = 500  # characters; a name in the bytes may be as long as they are


class Unreadable(ValueError):
    """The bytes are not an event of the topic. `reason` says why in one line."""

    def __init__(self, reason: str):
        self.reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"
        super().__init__(self.reason)


class RegistryUnavailable(RuntimeError):
    """The schema registry does not answer. Trying again later may succeed."""


class NotRegistered(RuntimeError):
    """The registry does not know the topic's current schema: `outlay up` registers it."""


@dataclass(frozen=True)
class _Written:
    """A writer's schema: as registered, as fastavro wants it, the step through its bytes, the check of its events."""

    registered: dict[str, Any]
    parsed: dict[str, Any]
    step: wire.Step
    check: Check

    @classmethod
    def of(cls, schema: dict[str, Any]) -> _Written:
        parsed = parse_schema(schema)
        return cls(schema, parsed, wire.compiled(parsed), compiled(parsed))


class Codec:
    """Encodes and decodes events of every topic. Thread-safe; schemas are asked for once per process and kept.

    Args:
        registry_url: base URL of the registry's Confluent-compatible API.
    """

    def __init__(self, registry_url: str):
        self.registry_url = registry_url
        self._ours = {topic: _Written.of(contracts.schema(topic)) for topic in contracts.TOPICS}
        self._ids: dict[str, int] = {}
        self._written: dict[int, _Written] = {}
        self._unknown: TTLCache[int, str] = TTLCache(maxsize=10_000, ttl=10)
        self._lock = threading.Lock()

    def encode(self, topic: str, event: dict[str, Any]) -> bytes:
        """The event as bytes of the topic's current schema.

        Raises:
            NotConforming: a value does not fit the contract (a naive datetime, too many digits, an unknown field); the
                message names the field.
            RegistryUnavailable: the schema's id is not known yet and the registry does not answer.
            NotRegistered: the registry answers, and has no such schema.
        """
        ours = self._ours[topic]
        ours.check(event)
        out = BytesIO()
        out.write(_FRAME.pack(0, self._id(topic)))
        schemaless_writer(out, ours.parsed, event)
        return out.getvalue()

    def decode(self, topic: str, value: bytes | None, *, as_written: bool = False) -> dict[str, Any]:
        """The event in `value`, resolved to the topic's current schema.

        Fields that its writer did not know get their default, enum symbols that we do not know become `unknown`. With
        `as_written` the event is exactly as its writer's schema has it.

        Raises:
            Unreadable: the bytes are no event of this topic, or hold what PostgreSQL cannot store.
            RegistryUnavailable: the writer's schema is not known yet and the registry does not answer.
        """
        written = self._schema(self.schema_id(value))
        ours = self._ours[topic]
        if written.parsed["name"] != ours.parsed["name"]:
            raise Unreadable(f"expected {ours.parsed['name']}, got {written.parsed['name']} by its schema")
        target = written if as_written else ours
        data = BytesIO(value)
        data.seek(FRAME)
        try:
            end = written.step(value, FRAME)
            if end < len(value):
                raise NotConforming(f"{len(value) - end} bytes are left over after the event")
            event = schemaless_reader(data, written.parsed, None if target is written else target.parsed)
            target.check(event)
        except NotConforming as problem:
            raise Unreadable(str(problem)) from None
        except _GARBAGE as error:
            raise Unreadable(f"not Avro of schema {self.schema_id(value)}: {type(error).__name__}: {error}") from None
        return event

    def schema_id(self, value: bytes | None) -> int:
        """The id of the schema that `value` was written with.

        Raises:
            Unreadable: `value` is null, or is not in the Confluent framing.
        """
        if value is None:
            raise Unreadable("expected an event, got a null value (a tombstone)")
        if len(value) <= FRAME or value[0] != 0:
            raise Unreadable(
                f"expected magic byte 0 and a schema id, got {len(value)} bytes starting {value[:5].hex() or 'empty'}"
            )
        return _FRAME.unpack_from(value)[1]

    def writer_schema(self, schema_id: int) -> dict[str, Any]:
        """The schema with that id, as registered.

        Raises:
            Unreadable: the registry has no such schema.
            RegistryUnavailable: it is not known yet and the registry does not answer.
        """
        return self._schema(schema_id).registered

    @cached_property
    def _client(self) -> SchemaRegistryClient:
        return SchemaRegistryClient({"url": self.registry_url, **_REQUEST})

    def _id(self, topic: str) -> int:
        known = self._ids.get(topic)
        if known is not None:
            return known
        subject = f"{topic}-value"
        text = json.dumps(contracts.schema(topic))
        try:
            found = self._client.lookup_schema(subject, Schema(text, "AVRO"), normalize_schemas=True).schema_id
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                raise NotRegistered(
                    f"{subject} is not registered at {self.registry_url} in this version: run `outlay up`"
                ) from None
            raise self._unavailable(error) from error
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        self._ids[topic] = found
        return found

    def _schema(self, schema_id: int) -> _Written:
        known = self._written.get(schema_id)
        if known is not None:
            return known
        with self._lock:
            if schema_id not in self._written:
                self._written[schema_id] = self._ask(schema_id)
            return self._written[schema_id]

    def _ask(self, schema_id: int) -> _Written:
        if schema_id in self._unknown:
            raise Unreadable(self._unknown[schema_id])
        try:
            schema = self._client.get_schema(schema_id)
        except SchemaRegistryError as error:
            if error.http_status_code != _NOT_FOUND:
                raise self._unavailable(error) from error
            self._unknown[schema_id] = f"its schema id {schema_id} is not in the registry"
            raise Unreadable(self._unknown[schema_id]) from None
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        if schema.schema_type != "AVRO":
            raise Unreadable(f"expected a schema of Avro, got {schema.schema_type} by its schema id {schema_id}")
        registered = json.loads(schema.schema_str)
        for ours in self._ours.values():
            if ours.registered == registered:
                return ours
        if not isinstance(registered, dict) or registered.get("type") != "record":
            raise Unreadable(f"expected a record, got something else by its schema id {schema_id}")
        try:
            written = _Written.of(registered)
            self._one_of_ours(written)
        except Exception as error:  # whatever somebody has registered
            self._unknown[schema_id] = f"its schema id {schema_id} cannot be used: {type(error).__name__}: {error}"
            raise Unreadable(self._unknown[schema_id]) from None
        return written

    def _one_of_ours(self, written: _Written) -> None:
        """Refuse a schema that takes the name of a contract and is neither before nor after it."""
        for ours in self._ours.values():
            if ours.parsed["name"] == written.parsed["name"] and breaks(ours.registered, written.registered):
                problems = breaks(written.registered, ours.registered)
                if problems:
                    raise NotConforming(f"it is no version of the contract: {problems[0]}")

    def _unavailable(self, error: Exception) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"the schema registry at {self.registry_url} does not answer ({error}): "
            "`outlay status` shows it, `outlay up` starts it"
        )
