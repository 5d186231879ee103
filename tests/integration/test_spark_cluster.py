"""Silver on a Spark cluster and a lake on S3: the job that runs on one machine gives the same there, whatever dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from ingestion import events
from ingestion.landing import store
from orchestration.batches import parquet, publish
from orchestration.silver import PLACE
from outlay.settings import PROJECT
from outlay.stack import jars, processes
from tests.integration.bronze import Bronze, own_bronze
from tests.integration.s3 import BUCKET, LAKE, S3, s3_server
from tests.integration.silver_job import SHUFFLE_PARTITIONS, TOPIC
from tests.landing import append, purchase
from tests.support import free_port, until

pytestmark = [pytest.mark.integration, pytest.mark.large, pytest.mark.timeout(600)]

SCRIPT = PROJECT / "deploy" / "spark-cluster"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
WORKSPACES, EACH = 4, 1_000
MANY_SMALL_TASKS = f"""
spark.executor.memory 512m
spark.sql.files.maxPartitionBytes 64k
spark.sql.files.openCostInBytes 0
spark.sql.adaptive.coalescePartitions.enabled false
spark.sql.shuffle.partitions {SHUFFLE_PARTITIONS}
spark.shuffle.io.retryWait 1s
"""
"""The cluster's own settings, so that each stage has a middle in which to die."""


NOBODY_FREE = """
from orchestration import spark as ours
from orchestration.retries import is_transient
from outlay.settings import settings

ours.LONGEST_WAIT = 3
spark = ours.SparkResource(spark_config=ours.spark_config(settings()))
try:
    spark.spark_session
except Exception as error:
    assert is_transient(error) and spark._spark_session is None
    print(f"{settings().spark} gave none: {error}")
"""


@dataclass
class Cluster:
    folder: Path
    port: int
    script: psutil.Process

    @property
    def workers(self) -> list[int]:
        """Their process ids."""
        started = processes.each(self.script.children(recursive=True), lambda each: (each.pid, each.cmdline()))
        return [pid for pid, command in started if "org.apache.spark.deploy.worker.Worker" in command]

    @property
    def variables(self) -> dict[str, str]:
        """What its users set, as the script says."""
        return {
            "OUTLAY_SPARK_REMOTE": f"spark://127.0.0.1:{self.port}",
            "SPARK_CONF_DIR": str(self.folder / "conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    port = free_port()
    with (folder / "log").open("w") as log:
        script = subprocess.Popen(
            [SCRIPT, "local", folder],
            env=os.environ | {"PATH": PATH, "SPARK_MASTER_PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    try:
        here = Cluster(folder, port, psutil.Process(script.pid))
        said = folder / "log"
        until(lambda: said.read_text().count("Successfully registered with master") == 2, what="two workers")
        defaults = folder / "conf" / "spark-defaults.conf"
        defaults.write_text(defaults.read_text() + MANY_SMALL_TASKS)
        yield here
    finally:
        left = processes.tree(script.pid)
        script.terminate()
        assert script.wait(30) == 0
        _, alive = psutil.wait_procs(left, timeout=30)
        assert alive == []


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as here:
        yield here


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as here:
        yield here


@pytest.fixture(scope="module")
def bronze(stack, s3) -> Iterator[Bronze]:
    """Events on S3 that no batch has used: good ones, changed, repeated, late, and some that break a rule."""
    jars.fetch(["spark", "s3"], stack.cache, lambda name, received, size: None)  # as `up` does with a lake on S3
    with own_bronze(stack, LAKE) as here:
        here.know_currencies()
        here.skip(TOPIC)
        append(stack, *(event for _ in range(WORKSPACES) for event in some_events()))
        here.land(topics=[TOPIC], max_rows=250)
        yield here


def some_events() -> Iterator[dict[str, Any]]:
    workspace = events.new_id()
    for number in range(EACH):
        first = purchase(workspace, amount=Decimal(number) / 100, currency="EUR" if number % 100 else "XXQ")
        yield first
        if number % 10 == 1:
            yield {**first, "event_id": events.new_id(), "version": 3, "operation": "amended", "merchant": "Amended"}
        if number % 20 == 1:
            yield first
            yield {**first, "event_id": events.new_id(), "version": 2, "operation": "amended", "merchant": "Too late"}


def python(*arguments: str, **variables: str) -> str:
    """What a Python process printed that ended well, without what a Spark session left in this one's variables."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("SPARK_")} | variables,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return done.stdout


def silver_job(bronze: Bronze, spark: dict[str, str], *kill: Any) -> dict[str, Any]:
    """Run the job to its end, on the Spark of these variables."""
    here = {"OUTLAY_HOME": str(bronze.stack.home), "OUTLAY_LAKE_URL": bronze.lake}
    said = python("-m", "tests.integration.silver_job", bronze.dsn, *map(str, kill), **spark, **here)
    told = json.loads(said.splitlines()[-1])
    assert told["failures"] == []
    return told


def parts(lake: str, told: dict[str, Any]) -> dict[str, pa.Table]:
    """What the job has written, row by row."""
    (path,) = told["paths"]
    found = {part: parquet.dataset(lake, f"{path}/{part}").to_table() for part in ("events", "lines", "quarantine")}
    return {part: table.sort_by([(name, "ascending") for name in PLACE]) for part, table in found.items()}


@pytest.fixture(scope="module")
def on_one_machine(bronze) -> dict[str, pa.Table]:
    return parts(bronze.lake, silver_job(bronze, {"OUTLAY_SPARK_REMOTE": "local[2]"}))


def test_one_machine_makes_silver_of_a_lake_on_s3(bronze, on_one_machine):
    made = on_one_machine
    decided = made["events"].group_by("decision").aggregate([([], "count_all")]).to_pylist()
    assert {row["decision"]: row["count_all"] for row in decided} == {
        "accepted": WORKSPACES * (990 + 100),
        "duplicate": WORKSPACES * 50,
        "stale": WORKSPACES * 50,
    }
    assert made["lines"].num_rows == made["events"].num_rows
    assert made["quarantine"].column("rule").to_pylist() == ["currency_known"] * WORKSPACES * 10


def test_a_worker_that_is_killed_while_it_reads_changes_nothing(bronze, s3, cluster, on_one_machine):
    told = silver_job(bronze, cluster.variables, cluster.workers[0], "reading")
    assert_one_died_and_nothing_differs(told, bronze, s3, on_one_machine)


def test_a_worker_that_is_killed_when_others_need_what_it_made_changes_nothing_that_is_published(
    bronze, s3, cluster, on_one_machine
):
    told = silver_job(bronze, cluster.variables, cluster.workers[0], "after_a_shuffle")
    assert told["stages_tried_again"] > 0
    assert_one_died_and_nothing_differs(told, bronze, s3, on_one_machine)
    rows = {part: table.num_rows for part, table in on_one_machine.items()}
    assert publish(bronze.connection, bronze.lake, TOPIC).rows == {
        "transaction_events": rows["events"],
        "transaction_lines": rows["lines"],
        "quarantine": rows["quarantine"],
    }


def assert_one_died_and_nothing_differs(
    told: dict[str, Any], bronze: Bronze, s3: S3, on_one_machine: dict[str, pa.Table]
) -> None:
    assert told["executors"] == [2, 1]
    assert told["failed_tasks"] > 0
    assert parts(bronze.lake, told) == on_one_machine
    (path,) = told["paths"]
    assert (
        json.loads(store.read(bronze.lake, f"{path}/events/_SUCCESS"))["committer"] == "magic"
    )  # that renames nothing
    whole = (".parquet", "/_SUCCESS", "/")  # the last are folders, as Spark marks them: empty objects
    assert [key for key in s3.stored() if f"/{path}/" in key and not key.endswith(whole)] == []
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=BUCKET)


def test_a_build_on_a_cluster_without_a_free_worker_is_told_so_and_gives_its_place_back(cluster):
    for worker in cluster.workers:
        processes.stop(processes.tree(worker))
    said = python("-c", NOBODY_FREE, **cluster.variables)
    assert said.startswith(f"{cluster.variables['OUTLAY_SPARK_REMOTE']} gave none: no worker of spark://")


@pytest.mark.parametrize("conf", ["", "spark.authenticate.secret of-no-use", "spark.authenticate true"])
def test_a_cluster_without_a_secret_that_is_asked_for_does_not_start(tmp_path, conf):
    (tmp_path / "spark-defaults.conf").write_text(conf + "\n")
    for role in (["master", "127.0.0.1"], ["worker", "127.0.0.1", "spark://127.0.0.1:7077"]):
        done = subprocess.run(
            [SCRIPT, *role],
            env=os.environ | {"PATH": PATH, "SPARK_CONF_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1
        assert "expected 'spark.authenticate true' and a secret" in done.stderr
