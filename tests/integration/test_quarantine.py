"""From quarantine to gold: corrected by a new version, released as it is, and refused where figures depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import dagster as dg
import pytest

from ingestion import events
from ingestion.place import Place
from orchestration.automation.sensors import unlanded_events
from orchestration.batches.register import waiting_releases
from orchestration.defs.silver.quarantine import corrections, releases
from outlay.db import session
from outlay.ledger import quarantine
from tests.integration.warehouse import Warehouse, amended, opened
from tests.integration.warehouse import purchase as bought
from tests.landing import append, purchase
from tests.support import outlay, outlay_json, until

pytestmark = [pytest.mark.integration, pytest.mark.whole_log, pytest.mark.timeout(900)]
FAR = date(2199, 1, 1)


@dataclass
class SetAside:
    """Transactions of one workspace whose events were set aside, and where each stands."""

    workspace_id: UUID
    far: dict
    far_too: dict
    unknown: dict
    unknown_too: dict
    replaced: dict
    places: dict[UUID, str]

    def place(self, event: dict) -> str:
        return self.places[event["transaction_id"]]


@pytest.fixture(scope="module")
def held(stack) -> SetAside:
    """After a build; what other tests have left in quarantine is not looked at."""
    workspace_id = events.new_id()
    far, far_too = (purchase(workspace_id, occurred_on=FAR, amount=Decimal(n)) for n in (11, 12))
    unknown, unknown_too = (purchase(workspace_id, currency="ZZZ", amount=Decimal(n)) for n in (13, 14))
    bad = purchase(workspace_id, currency="ZZZ", amount=Decimal("15.0000"))
    good = {**bad, "event_id": events.new_id(), "version": 2, "operation": "amended", "currency": "EUR"}
    append(stack, far, far_too, unknown, unknown_too, bad, good)
    until(lambda: in_live(workspace_id) == 6, what="live has them")
    outlay_json("build")
    found = [e for e in listed("--state", "all") if e["workspace_id"] == str(workspace_id)]
    return SetAside(
        workspace_id, far, far_too, unknown, unknown_too, bad, {UUID(e["entity_id"]): e["place"] for e in found}
    )


def in_live(workspace_id: UUID) -> int:
    with session("pipeline") as connection:
        counted = "SELECT count(*) FROM live.events WHERE workspace_id = %s"
        return connection.execute(counted, (workspace_id,)).fetchone()[0]


def listed(*options: str) -> list[dict]:
    return outlay_json("quarantine", "list", "--limit", "100000", *options)["events"]


def in_gold(held: SetAside) -> dict[UUID, tuple]:
    """Transaction -> its fact's day, amount and currency."""
    with session("pipeline") as connection:
        facts = (
            "SELECT transaction_id, occurred_on, amount, currency FROM gold.fct_transactions WHERE workspace_id = %s"
        )
        return {row[0]: row[1:] for row in connection.execute(facts, (held.workspace_id,))}


def built() -> None:
    """Build, and see that live = gold + quarantined."""
    checks = outlay_json("build")["checks"]
    assert [check["passed"] for check in checks if check["check"] == "reconciliation"] == [True]


def released_events() -> int:
    """How many released events the sensor asks for a build for."""
    with dg.DagsterInstance.ephemeral() as instance:
        asked = unlanded_events(dg.build_sensor_context(instance=instance))
    return int(asked.run_requests[0].tags["outlay/released_events"]) if isinstance(asked, dg.SensorResult) else 0


def materialized(asset: dg.AssetsDefinition, **config) -> dg.ExecuteInProcessResult:
    given = dg.RunConfig(ops={asset.op.name: {"config": config}})
    return dg.materialize([asset], run_config=given, raise_on_error=False)


def refused(run: dg.ExecuteInProcessResult) -> str:
    assert not run.success
    [failure] = [event for event in run.all_events if event.is_step_failure]
    return failure.step_failure_data.user_failure_data.description


def test_what_was_set_aside_is_listed_with_its_rules_and_what_live_makes_of_it(held):
    mine = {e["place"]: e for e in listed("--state", "all") if e["workspace_id"] == str(held.workspace_id)}
    said = {place: (e["state"], [broken["rule"] for broken in e["broken"]]) for place, e in mine.items()}
    assert said == {
        held.place(held.far): ("open", ["date_plausible"]),
        held.place(held.far_too): ("open", ["date_plausible"]),
        held.place(held.unknown): ("open", ["currency_known"]),
        held.place(held.unknown_too): ("open", ["currency_known"]),
        held.place(held.replaced): ("replaced", ["currency_known"]),
    }
    by_rule = {e["place"] for e in listed("--rule", "date_plausible") if e["workspace_id"] == str(held.workspace_id)}
    assert by_rule == {held.place(held.far), held.place(held.far_too)}
    shown = outlay_json("quarantine", "show", held.place(held.far))
    assert shown["event"]["occurred_on"] == str(FAR)
    assert shown["broken"][0]["detail"].startswith("expected a date at most 366 days after it was recorded")
    assert set(in_gold(held)) == {held.replaced["transaction_id"]}


def test_people_read_where_what_was_set_aside_stands_and_why(held):
    place = held.place(held.far)
    said = outlay("quarantine", "list", "--rule", "date_plausible", "--limit", "100000").stdout
    assert place in said
    assert "by date_plausible" in said
    shown = outlay("quarantine", "show", place).stdout
    assert "breaks     date_plausible: expected a date at most 366 days after it was recorded" in shown
    assert "events break a rule and are not in gold: outlay quarantine list" in outlay("status").stdout
    assert sum(outlay_json("status")["quarantined"].values()) == len(listed())


def test_what_figures_depend_on_cannot_be_released(held):
    done = outlay("quarantine", "release", held.place(held.unknown), "--reason", "it looks fine")
    assert (done.returncode, "1 refused" in done.stdout) == (1, True)
    assert "figures depend on it (currency_known: expected an ISO 4217 currency code" in done.stderr
    nowhere = outlay("quarantine", "release", "transaction/0@999999999", "--reason", "it looks fine")
    assert (nowhere.returncode, "was set aside" in nowhere.stderr) == (1, True)
    assert outlay("quarantine", "release", held.place(held.far), "--reason", " ").returncode == 2


def test_a_correction_that_leaves_the_rule_broken_is_refused_and_changes_nothing(held):
    place = held.place(held.unknown)
    done = outlay("quarantine", "correct", place, "--set", "currency=QQQ")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "expected an ISO 4217 currency code such as EUR, got 'QQQ'" in done.stderr
    for wrong in ("currency", "colour=red", "amount=much"):
        assert outlay("quarantine", "correct", place, "--set", wrong).returncode == 2
    assert in_live(held.workspace_id) == 6


def release_and_correct_by_command(held: SetAside) -> None:
    far, unknown = held.place(held.far), held.place(held.unknown)
    reason = ("--reason", "a lease of two centuries", "--by", "Ada")
    assert outlay_json("quarantine", "release", far, *reason)["released"] == [far]
    assert outlay_json("quarantine", "release", far, *reason)["released_before"] == [far]
    corrected = outlay_json("quarantine", "correct", unknown, "--set", "currency=CHF", "--set", "tags=a,b")
    assert (corrected["decision"], corrected["version"]) == ("accepted", 2)
    again = outlay_json("quarantine", "correct", unknown, "--set", "tags=a,b", "--set", "currency=CHF")
    assert again == corrected
    other = outlay("quarantine", "correct", unknown, "--set", "currency=USD")
    assert (other.returncode, "version 2 of its transaction replaced it" in other.stderr) == (1, True)


def release_and_correct_by_asset(held: SetAside) -> None:
    far, unknown = held.place(held.far_too), held.place(held.unknown_too)
    said = {"reason": "a lease of two centuries", "released_by": "Ada"}
    assert "figures depend on it" in refused(materialized(releases, places=[unknown], **said))
    run = materialized(releases, places=[far], **said)
    assert run.asset_materializations_for_node("silver__releases")[0].metadata["outcomes"].value == {far: "released"}
    wrong = [{"place": unknown, "changes": ["currency=QQQ"]}]
    assert "ISO 4217" in refused(materialized(corrections, corrections=wrong))
    assert materialized(corrections, corrections=[{"place": unknown, "changes": ["currency=CHF"]}]).success


def test_released_and_corrected_transactions_are_in_gold_and_stay_there_when_silver_is_made_again(held):
    release_and_correct_by_command(held)
    release_and_correct_by_asset(held)
    assert released_events() == 2
    built()
    facts = [(event, "EUR") for event in (held.replaced, held.far, held.far_too)]
    facts += [(event, "CHF") for event in (held.unknown, held.unknown_too)]
    expected = {event["transaction_id"]: (event["occurred_on"], event["amount"], to) for event, to in facts}
    assert in_gold(held) == expected
    assert released_events() == 0
    shown = outlay_json("quarantine", "show", held.place(held.far))
    given = shown["release"]
    assert (shown["state"], given["by"], given["reason"]) == ("released", "Ada", "a lease of two centuries")
    assert given["in_batch"] > shown["batch_id"]

    assert held.workspace_id in unpublished(held)
    built()
    assert in_gold(held) == expected
    assert held.place(held.far) not in {event["place"] for event in listed("--state", "all")}, "it passed at once"


def unpublished(held: SetAside) -> set[UUID]:
    """Take every batch that holds the workspace out of silver, as if it had never been made; whose events went."""
    mine = """
        SELECT batch_id FROM silver.transaction_events WHERE workspace_id = %(mine)s
        UNION SELECT batch_id FROM silver.quarantine WHERE workspace_id = %(mine)s
    """
    with session("pipeline") as connection:
        batches = [batch_id for (batch_id,) in connection.execute(mine, {"mine": held.workspace_id})]
        take = "DELETE FROM silver.transaction_events WHERE batch_id = ANY(%s) RETURNING workspace_id"
        gone = connection.execute(take, (batches,)).fetchall()
        for table in ("transaction_lines", "quarantine", "batch_files", "batches"):
            connection.execute(f"DELETE FROM silver.{table} WHERE batch_id = ANY(%s)", (batches,))  # noqa: S608
    return {workspace_id for (workspace_id,) in gone}


@pytest.fixture
def aside(stack, tmp_path) -> Iterator[Warehouse]:
    """A warehouse of its own."""
    with opened(stack, tmp_path) as warehouse:
        yield warehouse


def set_aside(warehouse: Warehouse, *batch: dict, bad: dict) -> Place:
    """Publish the batch with `bad` in quarantine, for its date and its tags; where that stands."""
    warehouse.publish(*batch, quarantined=frozenset({bad["event_id"]}))
    rules = {"version_positive": "date_plausible", "operation_known": "tags_valid"}
    for rule, ours in rules.items():
        warehouse.connection.execute("UPDATE silver.quarantine SET rule = %s WHERE rule = %s", (ours, rule))
    return Place("transaction", 0, warehouse.set_aside[-1][0])


def test_what_does_not_count_in_live_cannot_be_released(aside):
    old = bought()
    replaced = set_aside(aside, old, amended(old), bad=old)
    unseen = set_aside(aside, lost := bought(), bad=lost)
    aside.connection.execute("DELETE FROM live.transactions WHERE transaction_id = %s", (lost["transaction_id"],))
    in_two = set_aside(aside, twice := bought(), bad=twice)
    aside.connection.execute(
        """
        INSERT INTO silver.quarantine
            (batch_id, topic, topic_id, partition, "offset", workspace_id, entity_id, rule, detail, row)
        SELECT 1, topic, 'the log before', partition, "offset", workspace_id, entity_id, rule, detail, row
        FROM silver.quarantine WHERE entity_id = %s
        """,
        (twice["transaction_id"],),
    )
    for place, state, why in (
        (replaced, "replaced", "another version replaced it"),
        (unseen, "unseen", "live does not hold"),
        (in_two, "open", "a topic that was created again"),
    ):
        assert quarantine.find(aside.connection, place).state == state
        with pytest.raises(quarantine.NotReleasable, match=why):
            quarantine.release(aside.connection, place, by="Ada", reason="it is right")
    with pytest.raises(quarantine.NotReleasable, match="expected a reason"):
        quarantine.release(aside.connection, replaced, by="Ada", reason=" ")
    assert waiting_releases(aside.connection) == []


def test_a_release_that_does_not_cover_what_the_event_breaks_now_does_not_wait_and_can_be_given_again(aside):
    place = set_aside(aside, bad := bought(), bad=bad)
    assert quarantine.release(aside.connection, place, by="Ada", reason="it is right")
    assert [release.rules for release in waiting_releases(aside.connection)] == [["date_plausible", "tags_valid"]]
    aside.connection.execute("UPDATE silver.releases SET rules = '{date_plausible}'")  # the other rule came later
    assert waiting_releases(aside.connection) == []
    assert quarantine.find(aside.connection, place).state == "open"
    assert quarantine.release(aside.connection, place, by="Bob", reason="still")
    assert not quarantine.release(aside.connection, place, by="Ada", reason="again")
    [waiting] = waiting_releases(aside.connection)
    assert waiting.rules == ["date_plausible", "tags_valid"]
    given = quarantine.find(aside.connection, place).release
    assert (given.by, given.reason, given.in_batch) == ("Bob", "still", None)
    batch = aside.release(*aside.set_aside)
    assert waiting_releases(aside.connection) == []
    assert quarantine.find(aside.connection, place).release.in_batch == batch
