"""Whatever fails between the log and the two views, while messages flow: nothing is lost, doubled or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingestion.projection import view
from tests.chaos.campaign import campaign
from tests.chaos.checks import bronze_differs, live_differs
from tests.chaos.faults import FAULTS
from tests.chaos.model import Expected, expected
from tests.chaos.world import World, world

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

Strike = Callable[[str], str]


@pytest.fixture(scope="module")
def here(stack) -> Iterator[World]:
    with world(stack, seed=20261121, workspaces=2, rate=50) as made:
        yield made


@pytest.fixture
def strike(here: World) -> Iterator[Strike]:
    """Lets a fault happen, which has to be reached; at the test's end both views are what the log says."""

    def struck(name: str) -> str:
        if FAULTS[name].mounts and not here.mounted:
            pytest.skip("there can be no small file system: mounting one needs root")
        said = FAULTS[name].strike(here)
        here.recover()
        return said

    yield struck
    here.settle(land=False)
    assert not (found := here.differences()), found.examples


def test_a_projector_stopped_with_a_batch_in_memory_is_fenced_when_it_wakes(strike: Strike):
    assert strike("zombie projector") == "woke and was fenced"


@pytest.mark.parametrize("point", ["copying", "events", "totals"])
def test_a_projector_stopped_inside_its_transaction_holds_up_the_next_for_a_moment_only(strike: Strike, point: str):
    assert "was fenced" in strike(f"zombie projector inside its transaction at {point}")
    assert view._LONGEST_BATCH == 30  # seconds, as the docs say; the fault shortens it for its own projector


def test_a_projector_started_beside_another_ends_one_of_them_and_nothing_is_doubled(strike: Strike):
    assert "was fenced" in strike("two projectors")


def test_messages_of_an_aborted_transaction_are_in_neither_view(strike: Strike):
    assert strike("transaction of a producer aborted").endswith("messages aborted")


def test_a_projector_whose_session_is_terminated_reads_on_from_its_last_commit(strike: Strike):
    assert strike("projector's session terminated").startswith("terminated, told as")


def test_a_lock_held_on_live_is_waited_for(strike: Strike):
    strike("lock held on live")


def test_a_projector_that_a_deadlock_ends_does_its_batch_again(strike: Strike):
    strike("deadlock")


def test_a_projector_started_without_the_registry_waits_and_moves_past_nothing(strike: Strike):
    strike("registry down when a projector starts")


@pytest.mark.parametrize("point", ["read", "half", "stored", "between", "named", "commit", "committed"])
def test_a_landing_killed_at_this_point_loses_and_doubles_nothing(strike: Strike, point: str):
    strike(f"landing killed at {point}")


def test_a_landing_whose_session_is_terminated_is_done_again_by_the_next(strike: Strike):
    strike("landing's session terminated")


def test_a_landing_stopped_while_another_lands_names_nothing_when_it_wakes(strike: Strike):
    strike("zombie landing")


def test_two_landings_at_once_take_turns(strike: Strike):
    strike("two landings")


def test_a_lake_that_is_not_writable_stops_a_landing_with_one_clear_line(strike: Strike):
    strike("lake not writable")


def test_a_lake_that_is_full_stops_a_landing_with_one_clear_line(strike: Strike):
    strike("lake full")


def test_a_database_that_is_out_of_disk_is_waited_for(strike: Strike):
    strike("PostgreSQL out of disk")


def test_a_dozen_random_faults_in_a_row_lose_and_double_nothing(here: World):
    cheap = ("projector killed", "landing killed at a random moment", "transaction of a producer aborted")
    done = campaign(here, faults=12, among=[each for name, each in FAULTS.items() if name.startswith(cheap)])
    assert not done.differences, done.differences.examples
    assert sum(done.struck.values()) == 12


@pytest.fixture(scope="module")
def at_rest(here: World) -> Iterator[tuple[World, Expected]]:
    """The world while nothing flows, and what it must hold."""
    here.settle()
    yield here, expected(here.log)
    here.traffic.resume()


HARM = [
    ("DELETE FROM live.transactions WHERE version > 0", "live.transactions", "lost"),
    ("UPDATE live.transactions SET amount = amount + 1 WHERE version > 0", "live.transactions", "changed"),
    ("UPDATE live.transactions SET transaction_id = event_id WHERE version > 0", "live.transactions", "invented"),
    ("UPDATE live.events SET decision = 'stale' WHERE decision = 'accepted'", "live.events", "changed"),
    ("UPDATE live.monthly_totals SET lines = lines + 1 WHERE lines > 0", "live.monthly_totals", "changed"),
    ("UPDATE live.dead_letters SET value = value || '\\x00' WHERE value IS NOT NULL", "live.dead_letters", "changed"),
    ("DELETE FROM live.dead_letters WHERE value IS NULL", "live.dead_letters", "lost"),
    ("DELETE FROM bronze.files WHERE kind = 'events'", "bronze", "lost"),
]


@pytest.mark.parametrize(("harm", "table", "kind"), HARM, ids=[f"{kind} in {table}" for _, table, kind in HARM])
def test_the_check_sees_one_row_that_is_lost_invented_or_changed(
    at_rest: tuple[World, Expected], harm: str, table: str, kind: str
):
    here, model = at_rest
    name = next(word for word in harm.split() if "." in word)
    with here.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")  # no cascades: one row is one row
        one = f" AND ctid = (SELECT ctid FROM {name} {harm[harm.index('WHERE') :]} LIMIT 1)"  # noqa: S608
        assert connection.execute(harm + one).rowcount == 1
        of_bronze = name.startswith("bronze")
        found = bronze_differs(connection, here.lake, model) if of_bronze else live_differs(connection, model)
    assert getattr(found, kind) > 0
    assert any(example.startswith(table) and f" {kind}:" in example for example in found.examples), found.examples
