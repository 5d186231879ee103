"""Registration of the contracts in the schema registry: done by the stack's own step, never by a producer."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # whichever of its two HTTP clients it chose
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro.schema import SchemaParseException

from ingestion.codec import RegistryUnavailable
from ingestion.compatibility import breaks

COMPATIBILITY = "FULL_TRANSITIVE"
_NOT_FOUND = {40401, 40402, 40403}


class Incompatible(ValueError):
    """A schema was refused: readers of older events, or older readers, would fail on it or misread it."""


def register(registry_url: str, topic: str, schema: dict[str, Any]) -> int:
    """Make `schema` the newest of the subject ``<topic>-value``, under FULL_TRANSITIVE; returns its id.

    Does nothing when it is the newest already.

    Raises:
        Incompatible: it may not follow the newest; the message names the field. Or the registry refuses it, which asks
            every version before as well.
        RegistryUnavailable: no answer.
    """
    subject = f"{topic}-value"
    wanted = Schema(json.dumps(schema), "AVRO")
    try:
        client = SchemaRegistryClient({"url": registry_url, "timeout": 10})
        newest = _newest(client, subject)
        if newest is not None:
            known = json.loads(newest.schema.schema_str)
            if known == schema:
                return newest.schema_id
            if problems := breaks(known, schema):
                said = "; ".join(problems)
                raise Incompatible(f"the schema of topic {topic} cannot follow version {newest.version}: {said}")
        for scope in (None, subject):
            client.set_compatibility(scope, COMPATIBILITY)
        return client.register_schema(subject, wanted)
    except SchemaRegistryError as error:
        if error.http_status_code in (409, 422):
            raise Incompatible(f"the schema of topic {topic} is refused: {error.error_message}") from error
        raise RegistryUnavailable(f"the schema registry at {registry_url} answers: {error}") from error
    except SchemaParseException as error:
        raise Incompatible(f"the schema of topic {topic} is not one that Avro knows: {error}") from error
    except httpx.TransportError as error:
        raise RegistryUnavailable(f"the schema registry at {registry_url} does not answer: {error}") from error


def _newest(client: SchemaRegistryClient, subject: str):
    try:
        return client.get_latest_version(subject)
    except SchemaRegistryError as error:
        if error.error_code in _NOT_FOUND:
            return None
        raise
