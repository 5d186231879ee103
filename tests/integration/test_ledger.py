"""The ledger answers what became of each event, the same for a retry, and says at once when it cannot append."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4

import psycopg
import pytest

from ingestion import events
from outlay.db import session
from outlay.ledger.commands import (
    AppendStopped,
    KafkaUnavailable,
    Ledger,
    LineDraft,
    NotFound,
    Progress,
    Refused,
    TransactionDraft,
)
from outlay.ledger.workspaces import (
    Account,
    Workspace,
    all_workspaces,
    ensure_account,
    ensure_category,
    ensure_workspace,
)
from outlay.settings import Settings
from tests.support import free_port

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def ledger(stack) -> Iterator[Ledger]:
    with Ledger(stack) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def workspace(ledger) -> Workspace:
    return ensure_workspace(ledger, name=f"Test {uuid4()}", currency="EUR", time_zone="Europe/Rome")


@pytest.fixture(scope="module")
def account(ledger, workspace) -> Account:
    return ensure_account(ledger, workspace, name="Card", currency="EUR", type="card")


@pytest.fixture
def draft(account) -> TransactionDraft:
    return TransactionDraft(
        account_id=account.account_id,
        occurred_on=date(2026, 5, 1),
        amount=Decimal("4.50"),
        currency="EUR",
        description="STARBUCKS 00123 ROMA",
    )


@pytest.fixture
def by(workspace) -> dict:
    return {"actor_id": events.owner_of(workspace.workspace_id), "source": "app"}


def shown(workspace: Workspace, transaction_id: UUID, *columns: str) -> tuple:
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        return connection.execute(
            f"SELECT {', '.join(columns)} FROM live.transactions WHERE transaction_id = %s",  # noqa: S608
            (transaction_id,),
        ).fetchone()


def events_of(workspace: Workspace) -> int:
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        return connection.execute("SELECT count(*) FROM live.events").fetchone()[0]


def test_a_recorded_expense_is_in_live_when_the_answer_comes(ledger, workspace, draft, by):
    answer = ledger.record(draft, workspace_id=workspace.workspace_id, **by)
    assert (answer.decision, answer.version, answer.topic) == ("accepted", 1, "transaction")
    assert shown(workspace, answer.entity_id, "amount", "merchant", "category_id", "partition", '"offset"') == (
        *(Decimal("4.5000"), "Starbucks", "food.coffee"),
        *(answer.partition, answer.offset),
    )


def test_what_the_person_chose_is_kept(ledger, workspace, draft, by):
    chosen = replace(
        draft, merchant="My café", category_id="leisure", lines=[LineDraft(Decimal(4)), LineDraft(Decimal("0.5"))]
    )
    answer = ledger.record(chosen, workspace_id=workspace.workspace_id, **by)
    assert shown(workspace, answer.entity_id, "merchant", "category_id", "category_source", "decided_by") == (
        *("My café", "leisure"),
        *("user", None),
    )


def test_a_retry_gets_the_first_answer_and_appends_nothing(ledger, workspace, draft, by):
    event_id = uuid4()
    first = ledger.record(draft, workspace_id=workspace.workspace_id, event_id=event_id, **by)
    before = events_of(workspace)
    again = ledger.record(draft, workspace_id=workspace.workspace_id, event_id=event_id, **by)
    assert again == first
    assert again.decision == "accepted"
    assert events_of(workspace) == before


def test_retries_at_the_same_moment_all_get_one_answer(ledger, workspace, draft, by):
    event_id = uuid4()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: ledger.record(draft, workspace_id=workspace.workspace_id, event_id=event_id, wait=30, **by),
                range(8),
            )
        )
    assert set(answers) == {answers[0]}
    assert answers[0].decision == "accepted"


@pytest.mark.parametrize("other", [{"amount": Decimal(9)}, {"note": "none before"}, {"tags": ["new"]}], ids=str)
def test_the_same_event_id_with_another_content_is_refused(ledger, workspace, draft, by, other):
    event_id = uuid4()
    ledger.record(draft, workspace_id=workspace.workspace_id, event_id=event_id, **by)
    with pytest.raises(Refused) as refused:
        ledger.record(replace(draft, **other), workspace_id=workspace.workspace_id, event_id=event_id, **by)
    assert [problem.rule for problem in refused.value.problems] == ["event_id_unused"]


def test_what_breaks_a_rule_is_refused_with_every_problem_and_nothing_is_appended(ledger, workspace, draft, by):
    before = events_of(workspace)
    with pytest.raises(Refused) as refused:
        ledger.record(replace(draft, amount=Decimal(-1), currency="EURO"), workspace_id=workspace.workspace_id, **by)
    assert {problem.rule for problem in refused.value.problems} == {"sign_matches_kind", "currency_known"}
    with pytest.raises(Refused, match=r"amount: expected at most 4 digits after the point, got 1.23456"):
        ledger.record(replace(draft, amount=Decimal("1.23456")), workspace_id=workspace.workspace_id, **by)
    assert events_of(workspace) == before


def test_a_transaction_is_amended_voided_and_restored(ledger, workspace, draft, by):
    thing = (workspace.workspace_id, ledger.record(draft, workspace_id=workspace.workspace_id, **by).entity_id)
    columns = ("version", "operation", "amount", "note", "category_id", "category_source", "description")
    amended = ledger.amend(*thing, {"note": "with Ada", "amount": Decimal(5)}, expected_version=1, **by)
    assert (amended.decision, amended.version) == ("accepted", 2)
    assert shown(workspace, thing[1], *columns) == (
        *(2, "amended", Decimal(5), "with Ada", "food.coffee", "rule"),
        draft.description,
    )
    ledger.amend(*thing, {"category_id": "leisure"}, expected_version=2, **by)
    assert shown(workspace, thing[1], "category_id", "category_source") == ("leisure", "user")
    ledger.void(*thing, expected_version=3, **by)
    with pytest.raises(Refused, match="it is voided: restore it before changing it"):
        ledger.amend(*thing, {"note": "x"}, expected_version=4, **by)
    with pytest.raises(Refused, match="it is voided already"):
        ledger.void(*thing, expected_version=4, **by)
    ledger.restore(*thing, expected_version=4, **by)
    assert shown(workspace, thing[1], *columns) == (
        *(5, "restored", Decimal(5), "with Ada", "leisure", "user"),
        draft.description,
    )


def test_a_new_description_is_understood_anew_unless_the_person_chose(ledger, workspace, draft, by):
    thing = (workspace.workspace_id, ledger.record(draft, workspace_id=workspace.workspace_id, **by).entity_id)
    ledger.amend(*thing, {"description": "LIDL 0231 ROMA"}, expected_version=1, **by)
    assert shown(workspace, thing[1], "merchant", "category_id") == ("Lidl", "food.groceries")
    ledger.amend(*thing, {"category_id": "leisure"}, expected_version=2, **by)
    ledger.amend(*thing, {"description": "STARBUCKS 1"}, expected_version=3, **by)
    assert shown(workspace, thing[1], "merchant", "category_id") == ("Starbucks", "leisure")


def test_of_two_changes_of_one_version_the_second_is_stale(ledger, workspace, draft, by):
    thing = (workspace.workspace_id, ledger.record(draft, workspace_id=workspace.workspace_id, **by).entity_id)
    with ThreadPoolExecutor(4) as pool:
        notes = ["a", "b", "c", "d"]
        answers = list(
            pool.map(lambda note: ledger.amend(*thing, {"note": note}, expected_version=1, wait=30, **by), notes)
        )
    assert sorted(answer.decision for answer in answers) == ["accepted", "stale", "stale", "stale"]
    [won] = [note for note, answer in zip(notes, answers, strict=True) if answer.decision == "accepted"]
    assert shown(workspace, thing[1], "version", "note") == (2, won)
    late = ledger.amend(*thing, {"note": "late"}, expected_version=1, **by)
    assert (late.decision, late.version) == ("stale", 2)


def test_a_transaction_of_another_workspace_is_not_found(ledger, workspace, draft, by):
    thing = ledger.record(draft, workspace_id=workspace.workspace_id, **by).entity_id
    with pytest.raises(NotFound, match=f"the workspace has no transaction {thing}"):
        ledger.amend(uuid4(), thing, {"note": "mine now"}, expected_version=1, **by)


def test_an_answer_that_live_cannot_give_in_time_is_pending_and_the_retry_learns_it(ledger, workspace, draft, by):
    event_id = uuid4()
    given = {"workspace_id": workspace.workspace_id, "event_id": event_id, **by}
    first = ledger.record(draft, wait=0, **given)
    assert first.decision in ("pending", "accepted")
    later = ledger.record(draft, wait=30, **given)
    assert (later.decision, later.partition, later.offset) == ("accepted", first.partition, first.offset)


def many(workspace: Workspace, account: Account, run: UUID, count: int) -> Iterator[dict]:
    for number in range(count):
        yield events.transaction(
            event_id=events.derived_id(run, number),
            workspace_id=workspace.workspace_id,
            transaction_id=events.derived_id(run, "transaction", number),
            account_id=account.account_id,
            kind="expense",
            occurred_on=date(2026, 1, 1),
            amount=Decimal(number) / 100,
            currency="EUR",
            source="import",
        )


def test_many_events_are_appended_once_however_often_it_is_run(ledger, workspace, account):
    run, told = uuid4(), []
    first = ledger.append_many("transaction", many(workspace, account, run, 3_000))
    assert (first.inserted, first.already_there, first.stale) == (3_000, 0, 0)
    again = ledger.append_many("transaction", many(workspace, account, run, 5_000), on_progress=told.append)
    assert (again.inserted, again.already_there, again.stale) == (2_000, 3_000, 0)
    assert told[-1] == Progress(appended=2_000, decided=2_000, already_there=3_000)
    assert all(a.decided <= b.decided and a.appended <= b.appended for a, b in pairwise(told))
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        [total] = connection.execute(
            "SELECT sum(amount) FROM live.transactions WHERE transaction_id = ANY(%s)",
            ([events.derived_id(run, "transaction", number) for number in range(5_000)],),
        ).fetchone()
    assert total == sum(Decimal(number) / 100 for number in range(5_000))


def test_an_event_that_comes_twice_in_one_run_is_counted_once(ledger, workspace, account):
    run = uuid4()
    twice = [*many(workspace, account, run, 3_000), *many(workspace, account, run, 3_000)]
    done = ledger.append_many("transaction", twice)
    assert (done.inserted, done.already_there) == (3_000, 3_000)


def test_a_long_append_outlives_the_loss_of_its_database_sessions(stack, ledger, workspace, account):
    run = uuid4()

    def interrupted() -> Iterator[dict]:
        for number, event in enumerate(many(workspace, account, run, 6_000)):
            if number == 3_000:
                with psycopg.connect(stack.dsn("owner"), autocommit=True) as owner:
                    owner.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE usename IN ('outlay_app', 'outlay_projector')"
                    )
            yield event

    done = ledger.append_many("transaction", interrupted())
    assert (done.inserted, done.already_there, done.stale) == (6_000, 0, 0)


def test_workspaces_accounts_and_categories_are_made_once(ledger, workspace, account):
    assert ensure_workspace(ledger, name=workspace.name, currency="CAD") == workspace
    assert ensure_account(ledger, workspace, name="Card", currency="EUR") == account
    assert ensure_account(ledger, workspace, name="Card", currency="CAD") != account
    hobby = ensure_category(ledger, workspace, "Hobby")
    assert ensure_category(ledger, workspace, "Hobby") == hobby
    assert workspace in all_workspaces()
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        [name] = connection.execute(
            "SELECT state -> 'category' ->> 'name' FROM live.entities WHERE entity_id = %s", (hobby,)
        ).fetchone()
        [member] = connection.execute("SELECT user_id FROM live.members").fetchone()
    assert (name, member) == ("Hobby", events.owner_of(workspace.workspace_id))


@pytest.fixture
def nowhere() -> str:
    return f"127.0.0.1:{free_port()}"


def test_a_kafka_that_is_away_is_told_in_seconds(stack, workspace, account, draft, by, nowhere):
    with Ledger(Settings(home=stack.home, kafka_bootstrap=nowhere)) as ledger:
        began = time.monotonic()
        with pytest.raises(KafkaUnavailable, match=f"Kafka at {nowhere} does not take events .*outlay status"):
            ledger.record(draft, workspace_id=workspace.workspace_id, **by)
        with pytest.raises(KafkaUnavailable) as caught:
            ledger.append_many("transaction", many(workspace, account, uuid4(), 1))
        assert not isinstance(caught.value, AppendStopped)
        assert time.monotonic() - began < 20


def test_a_registry_that_is_away_is_told_in_seconds(stack, workspace, draft, by, nowhere):
    with Ledger(Settings(home=stack.home, schema_registry_url=f"http://{nowhere}")) as ledger:
        began = time.monotonic()
        with pytest.raises(KafkaUnavailable, match=f"the schema registry at http://{nowhere} does not answer"):
            ledger.record(draft, workspace_id=workspace.workspace_id, **by)
        assert time.monotonic() - began < 10
