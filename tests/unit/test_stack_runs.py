"""A run lives as long as its process, and no longer."""

import subprocess
import sys
import time

import pytest
from dagster import DagsterInstance
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import WorkerStatus
from dagster._core.test_utils import create_run_for_test

from outlay.stack import run_launcher
from outlay.stack.run_launcher import WatchedRunLauncher


@pytest.fixture
def run_in():
    """Makes a run that says it runs in a process, and tells how its launcher finds it."""
    with DagsterInstance.ephemeral() as instance:
        launcher = WatchedRunLauncher()
        launcher.register_instance(instance)

        def make(pid: int | None):
            run = create_run_for_test(instance, job_name="empty")
            if pid is not None:
                instance.report_engine_event("Started process", run, EngineEventData.in_process(pid))
            return launcher.check_run_worker_health(run)

        yield make


def test_a_run_whose_process_lives_is_running(run_in):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert run_in(process.pid).status is WorkerStatus.RUNNING
    finally:
        process.kill()
        process.wait()


def test_a_run_whose_process_was_killed_has_failed_and_says_so(run_in):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    process.wait()
    health = run_in(process.pid)
    assert health.status is WorkerStatus.FAILED
    assert f"pid {process.pid}" in health.msg


def test_a_run_that_has_not_named_its_process_is_left_alone(run_in):
    assert run_in(None).status is WorkerStatus.RUNNING


def test_a_later_process_of_the_same_number_is_not_the_run():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert run_launcher._lives(process.pid, time.time())
        assert not run_launcher._lives(process.pid, time.time() - 3600)
    finally:
        process.kill()
        process.wait()
