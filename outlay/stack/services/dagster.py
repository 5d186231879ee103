"""Dagster: a code server, and the webserver and daemon that share it. Runs and events are in PostgreSQL."""

from __future__ import annotations

import json

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

from outlay.settings import PROJECT, Settings
from outlay.stack import probe
from outlay.stack.environment import variables
from outlay.stack.errors import Broken, NotReady
from outlay.stack.services.own import with_this_python
from outlay.stack.spec import ServiceSpec

LOCATION = "outlay"
HEARTBEAT_SECONDS = 120
RUNS = 2
"""At once: each is a process of several hundred megabytes, and a small machine has room for one beside a build."""

_LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"  # fmt: skip # noqa: E501
INSTANCE = """\
storage:
  custom:
    module: outlay.stack.run_storage
    class: KeptPostgresStorage
    config:
      postgres_url:
        env: OUTLAY_DAGSTER_DSN
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {folder}
compute_logs:
  module: dagster._core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {folder}/logs
concurrency:
  runs:
    max_concurrent_runs: {runs}
  pools:
    granularity: run
    default_limit: 1
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
run_launcher:
  module: outlay.stack.run_launcher
  class: WatchedRunLauncher
run_monitoring:
  enabled: true
  start_timeout_seconds: 90
  poll_interval_seconds: 10
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days:
      skipped: 2
      success: 30
      failure: 30
telemetry:
  enabled: false
nux:
  enabled: false
"""


def instance(folder: str) -> str:
    """Text of ``dagster.yaml``. Of the runs that share a pool of assets one at a time: two builds would read the same
    batches. A run holds its pools until it ends, so none comes between a build's staging and its publication."""
    return INSTANCE.format(folder=json.dumps(folder)[1:-1], runs=RUNS)


def workspace(*, host: str, port: int) -> str:
    """Text of the workspace file, which names the running code server."""
    return f"load_from:\n  - grpc_server:\n      host: {host}\n      port: {port}\n      location_name: {LOCATION}\n"


def code_command(*, host: str, port: int) -> tuple[str, ...]:
    """One process, not Dagster's reloading pair, whose other half outlives it by half a minute."""
    return (
        *("python", "-m", "dagster", "api", "grpc", "-m", "orchestration.definitions"),
        *("--host", host, "--port", str(port), "--location-name", LOCATION),
    )


def webserver_command(*, host: str, port: int, workspace_file: str) -> tuple[str, ...]:
    return ("python", "-m", "dagster_webserver", "-h", host, "-p", str(port), "-w", workspace_file)


def daemon_command(*, workspace_file: str) -> tuple[str, ...]:
    return ("python", "-m", "dagster._daemon", "run", "-w", workspace_file)


def _files(here: Settings) -> dict:
    folder = here.home / "dagster"
    return {
        folder / "dagster.yaml": instance(str(folder)),
        folder / "workspace.yaml": workspace(host="127.0.0.1", port=here.port("code")),
    }


def code(here: Settings) -> ServiceSpec:
    return ServiceSpec(
        name="code",
        address=f"127.0.0.1:{here.port('code')}",
        port=here.port("code"),
        argv=with_this_python(code_command(host="127.0.0.1", port=here.port("code"))),
        env=variables(here) | {"PYTHONPATH": str(PROJECT)},
        needs=("postgres",),
        files=_files(here),
        healthy=lambda: check_code(f"127.0.0.1:{here.port('code')}"),
    )


def webserver(here: Settings) -> ServiceSpec:
    file = str(here.home / "dagster" / "workspace.yaml")
    return ServiceSpec(
        name="webserver",
        address=here.dagster_url,
        port=here.port("webserver"),
        argv=with_this_python(webserver_command(host="127.0.0.1", port=here.port("webserver"), workspace_file=file)),
        env=variables(here),
        needs=("postgres", "code"),
        files=_files(here),
        healthy=lambda: check_webserver(here.dagster_url),
    )


def daemon(here: Settings) -> ServiceSpec:
    file = str(here.home / "dagster" / "workspace.yaml")
    return ServiceSpec(
        name="daemon",
        address="",
        argv=with_this_python(daemon_command(workspace_file=file)),
        env=variables(here),
        needs=("postgres", "code"),
        files=_files(here),
        healthy=lambda: check_daemon(here.dsn("dagster")),
    )


def check_code(address: str) -> None:
    """Raises:
    NotReady: the code server does not answer Dagster's health question.
    """
    probe.port(address)
    with grpc.insecure_channel(address) as channel:
        ask = health_pb2.HealthCheckRequest(service="DagsterApi")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(ask, timeout=5)
        except grpc.RpcError as error:
            raise NotReady(f"the code server at {address} says {error.code().name}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReady(f"the code server at {address} is not serving yet")


def check_webserver(url: str) -> None:
    """Raises:
    NotReady: no answer, or the definitions did not load; the reason is Dagster's.
    """
    answer = json.loads(probe.page(f"{url}/graphql", data=json.dumps({"query": _LOADED}).encode(), seconds=15))
    entries = (answer.get("data") or {}).get("workspaceOrError", {}).get("locationEntries", [])
    if not entries:
        raise NotReady(f"the webserver at {url} knows no code location")
    for entry in entries:
        loaded = entry["locationOrLoadError"] or {}
        if loaded.get("__typename") == "PythonError":
            said = " ".join(loaded["message"].split())[:500]
            if "DagsterUserCodeUnreachableError" in said:
                raise NotReady("the webserver waits for the code server")
            raise Broken(f"the definitions did not load: {said}")
        if entry["loadStatus"] != "LOADED":
            raise NotReady("the definitions are loading")


def check_daemon(dsn: str) -> None:
    """Raises:
    NotReady: the scheduler or the run queue has not reported for `HEARTBEAT_SECONDS`.
    """
    query = """
        SELECT count(*) FROM daemon_heartbeats
        WHERE daemon_type IN ('SCHEDULER', 'QUEUED_RUN_COORDINATOR')
          AND timestamp > (now() AT TIME ZONE 'UTC') - make_interval(secs => %s)
    """
    try:
        with psycopg.connect(dsn, connect_timeout=3) as connection:
            (fresh,) = connection.execute(query, (HEARTBEAT_SECONDS,)).fetchone()
    except psycopg.Error as error:
        raise NotReady(f"the daemon has not reported to the database ({error})".replace("\n", " ")) from error
    if fresh < 2:
        raise NotReady("the daemon's scheduler and run queue have not reported yet")
