"""The registry keeps the contracts: growth passes, a break is refused, for our step and for anybody else's client."""

from __future__ import annotations

import copy
import json
import uuid

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ingestion.codec import RegistryUnavailable
from ingestion.contracts import TOPICS, schema
from ingestion.registry import Incompatible, register

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def topic() -> str:
    """A topic's name that nobody used before."""
    return f"test-{uuid.uuid4().hex}"


def grown(*, symbol: str | None = None, **field) -> dict:
    after = copy.deepcopy(schema("transaction"))
    if symbol:
        next(each for each in after["fields"] if each["name"] == "kind")["type"]["symbols"].append(symbol)
    if field:
        after["fields"].append(field)
    return after


def test_every_contract_is_registered_under_full_transitive(stack):
    client = SchemaRegistryClient({"url": stack.registry})
    for topic in TOPICS:
        assert json.loads(client.get_latest_version(f"{topic}-value").schema.schema_str) == schema(topic)
        assert client.get_compatibility(f"{topic}-value") == "FULL_TRANSITIVE"
    assert client.get_compatibility() == "FULL_TRANSITIVE"


def test_registering_the_newest_again_makes_no_new_version(stack, topic):
    first = register(stack.registry, topic, schema("transaction"))
    assert register(stack.registry, topic, schema("transaction")) == first
    assert SchemaRegistryClient({"url": stack.registry}).get_versions(f"{topic}-value") == [1]


@pytest.mark.parametrize(
    "after", [grown(symbol="fee"), grown(name="mood", type=["null", "string"], default=None)], ids=["symbol", "field"]
)
def test_growth_passes_in_both_directions(stack, topic, after):
    register(stack.registry, topic, schema("transaction"))
    newer = register(stack.registry, topic, after)
    assert SchemaRegistryClient({"url": stack.registry}).get_versions(f"{topic}-value") == [1, 2]

    back = f"{topic}-back"  # Avro-wise the way back is open as well: a reader may be older or newer than the writer
    client = SchemaRegistryClient({"url": stack.registry})
    client.register_schema(f"{back}-value", Schema(json.dumps(after), "AVRO"))
    assert client.test_compatibility(f"{back}-value", Schema(json.dumps(schema("transaction")), "AVRO"))
    assert newer > 0


def test_a_break_is_refused_with_the_field_named(stack, topic):
    register(stack.registry, topic, schema("transaction"))
    with pytest.raises(Incompatible, match=r"cannot follow version 1: colour: it is added without a default"):
        register(stack.registry, topic, grown(name="colour", type="string"))


def test_the_registry_itself_refuses_anybody_elses_break(stack, topic):
    register(stack.registry, topic, schema("transaction"))
    client = SchemaRegistryClient({"url": stack.registry})
    with pytest.raises(SchemaRegistryError, match="colour") as refused:
        client.register_schema(f"{topic}-value", Schema(json.dumps(grown(name="colour", type="string")), "AVRO"))
    assert refused.value.http_status_code == 409


def test_a_registry_that_is_down_is_one_clear_error(topic):
    with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:1 does not answer"):
        register("http://127.0.0.1:1", topic, schema("transaction"))
