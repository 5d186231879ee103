"""Kill -9 of any server, while expenses stream in, loses nothing and doubles nothing."""

import json
import os
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from outlay.db import session
from outlay.settings import settings
from outlay.stack.status import Status, status
from tests.support import outlay_json, start_outlay, unlanded, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

LAYERS = ("live", "bronze", "silver", "gold")
ON_THE_WAY = ("kafka", "postgres", "registry", "live", "app")
"""What an expense passes on its way to live; the others are what a build needs."""
SERVERS = (*ON_THE_WAY, "spark", "code", "webserver", "daemon")


def services() -> dict[str, Status]:
    return {service.name: service for service in status(settings())}


def healthy() -> bool:
    return all(service.healthy for service in services().values())


def kill(name: str) -> int:
    """Kill the server and all it started; returns the pid it had."""
    pid = services()[name].pid
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it went with its parent
    return pid


def kill_and_wait(name: str) -> None:
    """Kill the server, then wait until the supervisor has it healthy again under another pid."""
    pid = kill(name)

    def back() -> bool:
        now = services()[name]
        return now.state == "running" and now.pid not in (None, pid)

    until(back, what=f"{name} back after kill -9")


class Survived(NamedTuple):
    """What was there before and after, what the simulator and each build said."""

    before: dict
    after: dict
    simulated: dict
    interrupted: tuple[int, str]
    build: dict


@pytest.fixture(scope="module")
def survived(stack) -> Survived:
    """Every server was killed while expenses streamed in, and PostgreSQL once more in the middle of their build."""
    if unlanded() or unpublished():
        outlay_json("build")  # what other tests have recorded is in every layer before
    before = outlay_json("status")["layers"]
    simulator = start_outlay("simulate", "--rate", "100", "--json")
    try:
        until(lambda: in_live() > before["live"]["transactions"], what="the stream has begun")
        for name in ON_THE_WAY:
            kill_and_wait(name)
        killed = {name: kill(name) for name in SERVERS if name not in ON_THE_WAY}
        simulator.send_signal(signal.SIGINT)
        out, err = simulator.communicate(timeout=180)
    finally:
        simulator.kill()
    assert simulator.returncode == 0, err
    said = json.loads(out)
    until(healthy, what="every server healthy")
    assert all(services()[name].pid not in (None, pid) for name, pid in killed.items())
    until(lambda: in_live() - before["live"]["transactions"] >= said["transactions"], what="live caught up")

    building = start_outlay("build", "--json")
    until(lambda: unpublished() > 0 or building.poll() is not None, what="the build landed something")
    kill_and_wait("postgres")
    _, err = building.communicate(timeout=300)
    until(healthy, what="every server healthy")
    built = outlay_json("build")
    return Survived(before, outlay_json("status")["layers"], said, (building.returncode, err), built)


def test_killing_each_server_while_expenses_stream_in_loses_and_doubles_nothing(survived):
    before, after, said = survived.before, survived.after, survived.simulated
    assert said["failed"] == 0
    assert said["acknowledged"] == said["sent"] > 0
    for name in LAYERS:
        assert after[name]["transactions"] - before[name]["transactions"] == said["transactions"], name
        for currency, total in said["totals"].items():
            gained = Decimal(after[name]["totals"][currency]) - Decimal(before[name]["totals"].get(currency, "0"))
            assert gained == Decimal(total), (name, currency)


def test_postgres_restarted_in_the_middle_of_a_build_fails_it_clearly_or_not_at_all_and_the_next_completes(survived):
    code, said = survived.interrupted
    if code != 0:
        assert said.strip().splitlines()[-1].startswith("outlay: "), said
    assert reconciled(survived.build)
    assert unpublished() == 0


def test_spark_killed_in_the_middle_of_a_build_is_waited_for_and_the_build_succeeds(survived):
    outlay_json("simulate", "--rate", "500", "--duration", "4")
    building = start_outlay("build", "--json")
    until(lambda: any(spark_writes()) or building.poll() is not None, what="Spark has begun to write")
    kill_and_wait("spark")
    out, err = building.communicate(timeout=300)
    assert building.returncode == 0, err
    assert "tried again: silver_batches" in err
    assert reconciled(json.loads(out))
    assert unpublished() == 0
    assert not list(spark_writes()), "what the killed server had begun is still there"


def spark_writes() -> Iterator[Path]:
    """Folders of what Spark has begun to write, and not ended."""
    return Path(settings().lake, "silver").rglob("_temporary")


def reconciled(build: dict) -> bool:
    """Whether the build compared live with gold, and found them equal."""
    return [check["passed"] for check in build["checks"] if check["check"] == "reconciliation"] == [True]


def in_live() -> int:
    with session("projector") as connection:
        row = connection.execute("SELECT count(*) FROM live.transactions WHERE operation <> 'voided'").fetchone()
    return row[0]


def unpublished() -> int:
    """Files of readable events in bronze that are not in silver."""
    with session("pipeline") as connection:
        row = connection.execute(
            "SELECT count(*) FROM bronze.files "
            "WHERE kind = 'events' AND file_id NOT IN (SELECT file_id FROM silver.batch_files)"
        ).fetchone()
    return row[0]
