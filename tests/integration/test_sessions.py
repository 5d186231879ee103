"""A kept connection is as good as a new one: it sees what its session may, and survives the server's restart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest

from outlay import db
from outlay.db import session
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def kept(stack):
    db.keep_connections()
    yield
    db.close_connections()


def named(connection: psycopg.Connection) -> tuple[str, str]:
    return connection.execute(
        "SELECT current_setting('outlay.workspace_id', true), current_setting('outlay.user_id', true)"
    ).fetchone()


def pid(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def lives(backend: int) -> bool:
    with session("owner") as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (backend,)).fetchone()
    return found == (1,)


def test_a_session_has_nothing_of_the_one_before(kept):
    workspace, user = uuid4(), uuid4()
    with session("app", workspace_id=workspace, user_id=user) as connection:
        assert named(connection) == (str(workspace), str(user))
        first = pid(connection)
    with session("app") as connection:
        assert pid(connection) == first
        assert named(connection) == ("", "")
        assert connection.execute("SELECT live.current_workspace(), live.my_role()").fetchone() == (None, None)
    with session("app", workspace_id=workspace, autocommit=True) as connection:
        assert connection.autocommit
    with session("app", user_id=user) as connection:
        assert not connection.autocommit
        assert named(connection) == ("", str(user))


def test_a_session_that_failed_left_nothing(kept):
    def fail() -> None:
        with session("auth") as connection:
            connection.execute("INSERT INTO auth.attempts VALUES ('\\x01', now(), 1)")
            connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    with session("auth") as connection:
        assert connection.execute("SELECT count(*) FROM auth.attempts WHERE bucket = '\\x01'").fetchone() == (0,)


def test_roles_do_not_share_connections(kept):
    seen = set()
    for role in ("app", "auth", "operator", "app"):
        with session(role) as connection:
            seen.add((role, *connection.execute("SELECT session_user::text").fetchone()))
    assert seen == {(role, f"outlay_{role}") for role in ("app", "auth", "operator")}


def test_a_connection_that_the_server_ended_is_replaced(kept):
    with session("app") as connection:
        first = pid(connection)
    with session("owner") as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    with session("app") as connection:
        assert pid(connection) != first


def test_many_at_once_wait_for_each_other_and_mix_nothing_up(kept):
    def ask(number: int) -> bool:
        wanted = UUID(int=number)
        with session("app", workspace_id=wanted, user_id=wanted, autocommit=number % 2 == 0) as connection:
            connection.execute("SELECT pg_sleep(0.002)")
            return named(connection) == (str(wanted), str(wanted))

    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(ask, range(400)))
    with session("owner") as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'outlay_app' AND application_name = 'outlay-app'"
        ).fetchone()
    assert count <= 2 * db._AT_MOST  # the app's own process beside this one


def test_without_being_told_no_connection_is_kept(stack):
    with session("app") as connection:
        first = pid(connection)
    until(lambda: not lives(first), what="its backend has ended")
