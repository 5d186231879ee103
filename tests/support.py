"""What tests of the whole stack share: calling the command line, and waiting for something with a bound."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from outlay.settings import settings

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parent.parent


def outlay(*args: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end; the caller looks at the exit code. One that hangs fails the test with what it said."""
    command = [sys.executable, "-m", "outlay", *args]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, cwd=PROJECT)
    except subprocess.TimeoutExpired as error:
        said = b"".join(part for part in (error.stdout, error.stderr) if part).decode()  # bytes, whatever was asked for
        pytest.fail(f"outlay {' '.join(args)} has not ended after {timeout} s. It said: {said}\n{_servers_said()}")


def _servers_said(lines: int = 30) -> str:
    """The ends of the logs of the stack, for a failure that only they explain."""
    ends = []
    for log in sorted((settings().home / "logs").glob("*.log")):
        ends.append(f"== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:]))
    return "\n".join(ends)


def outlay_json(*args: str, timeout: float = 600) -> dict:
    """Run a verb with ``--json``, expect success, and return what it printed."""
    done = outlay(*args, "--json", timeout=timeout)
    assert done.returncode == 0, f"outlay {' '.join(args)} exited with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def start_outlay(*args: str, **env: str) -> subprocess.Popen[str]:
    """Start a verb, with `env` beside the environment's own variables, and return while it runs."""
    command = [sys.executable, "-m", "outlay", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, cwd=PROJECT, env={**os.environ, **env})


def free_port() -> int:
    """A TCP port of 127.0.0.1 at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def until(condition: Callable[[], T], *, what: str, seconds: float = 120) -> T:
    """The first truthy value of `condition`; fails the test when there is none in time (a hang, not a speed limit)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s still not: {what}")


def shared_data(name: str) -> Path:
    """A file of the public data that stands beside the project; skips the test where it does not."""
    folder = Path(os.environ.get("OUTLAY_TEST_DATA", PROJECT.parent / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"the outside file {name} is not in {folder} (set OUTLAY_TEST_DATA to where it is)")
    return path


def unlanded() -> int:
    """Events in the log that no build has landed."""
    from ingestion.contracts import TOPICS
    from ingestion.landing import pending
    from outlay.db import session

    with session("pipeline") as connection:
        return sum(pending(bootstrap=settings().bootstrap, connection=connection, topics=TOPICS).values())
