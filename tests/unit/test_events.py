"""The constructors give every field of the contract, and keys and ids that are the same everywhere."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ingestion import contracts, events

WORKSPACE, THING = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
MADE = {
    "transaction": events.transaction(
        workspace_id=WORKSPACE,
        transaction_id=THING,
        account_id=UUID(int=3),
        kind="expense",
        occurred_on=date(2026, 5, 1),
        amount=Decimal(1),
        currency="EUR",
        source="app",
    ),
    "user": events.entity(
        entity="preference",
        entity_id=THING,
        state={"name": "theme", "value": "dark"},
        workspace_id=WORKSPACE,
        source="app",
    ),
    "report": events.report(workspace_id=WORKSPACE, report_id=THING, name="monthly", source="app"),
    "reminder": events.reminder(workspace_id=WORKSPACE, reminder_id=THING, due_at=NOW, source="app"),
}


@pytest.mark.parametrize("topic", contracts.TOPICS)
def test_an_event_has_every_field_of_its_contract_and_no_other(topic):
    assert MADE[topic].keys() == {field["name"] for field in contracts.schema(topic)["fields"]}


@pytest.mark.parametrize("topic", contracts.TOPICS)
def test_the_key_is_the_workspace_and_the_thing_is_named(topic):
    assert events.key(topic, MADE[topic]) == str(WORKSPACE).encode()
    assert events.thing(topic, MADE[topic]) == ("preference" if topic == "user" else topic, THING)


def test_a_user_is_keyed_by_its_own_id():
    user = events.entity(entity="user", entity_id=THING, state={"name": "Ada"}, workspace_id=None, source="app")
    assert events.key("user", user) == str(THING).encode()


def test_an_event_of_no_workspace_has_no_key():
    with pytest.raises(ValueError, match=r"expected a workspace_id; the report event .* has none"):
        events.key("report", {**MADE["report"], "workspace_id": None})


def test_times_default_to_now_and_to_each_other():
    made = MADE["transaction"]
    assert made["occurred_at"] == made["recorded_at"]
    assert abs((datetime.now(UTC) - made["recorded_at"]).total_seconds()) < 3600
    given = events.report(workspace_id=WORKSPACE, report_id=THING, name="m", source="app", recorded_at=NOW)
    assert (given["occurred_at"], given["recorded_at"]) == (NOW, NOW)


def test_new_ids_grow_with_time_and_are_version_7():
    made = [events.new_id() for _ in range(100)]
    assert made == sorted(set(made))
    assert {made_id.version for made_id in made} == {7}


def test_derived_ids_are_the_same_on_every_machine_and_keep_their_parts_apart():
    assert events.derived_id("workspace", "Home") == UUID("69ec3814-4ac9-51ce-88bf-9455464b6487")
    assert events.derived_id("a", "bc") != events.derived_id("ab", "c")
    assert events.derived_id(WORKSPACE, 1) == events.derived_id(str(WORKSPACE), "1")
