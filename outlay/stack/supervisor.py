"""The supervisor of one home: starting it, asking it, ending it. It is supervisord; we speak to it over its socket."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from outlay.stack import home
from outlay.stack.conf import MARK
from outlay.stack.errors import StackError

UNREACHABLE = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Process:
    """What the supervisor says of one server."""

    state: int
    """One of `supervisor.states.ProcessStates`."""
    pid: int | None
    started: float
    """Seconds since 1970 of the last start; 0 before the first."""

    @property
    def runs(self) -> bool:
        return self.pid is not None

    @property
    def wanted(self) -> bool:
        """Whether it runs, or the supervisor is trying to make it run."""
        return self.state in (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.BACKOFF)


class Supervisor:
    def __init__(self, folder: Path):
        self.folder = folder
        self.socket = home.control_socket(folder)
        self.conf = folder / "run" / "supervisord.conf"
        self.pid_file = folder / "run" / "supervisord.pid"

    def alive(self) -> bool:
        try:
            self._call("getState")
        except UNREACHABLE:
            return False
        return True

    def launch(self, *, seconds: float = 15.0) -> None:
        """Start supervisord as a daemon with the configuration written to `conf`, and wait until it answers.

        Raises:
            StackError: it refused the configuration, or does not answer.
        """
        home.make_socket_folder(self.socket)
        for stale in (self.socket, self.pid_file):
            stale.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.conf)],
            env=os.environ | {MARK: str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise StackError(f"supervisord did not start: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        deadline = time.monotonic() + seconds
        while not self.alive():
            if time.monotonic() > deadline:
                raise StackError(f"supervisord does not answer: see {home.log_file(self.folder, 'supervisord')}")
            time.sleep(0.05)

    def apply_configuration(self) -> None:
        """Make a running supervisord take the configuration in `conf`: servers whose lines changed are stopped."""
        ((added, changed, removed),) = self._call("reloadConfig")
        for name in [*changed, *removed]:
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def processes(self) -> dict[str, Process]:
        """Every server that the supervisor knows, by name; none when it does not run."""
        try:
            known = self._call("getAllProcessInfo")
        except UNREACHABLE:
            return {}
        return {info["name"]: Process(info["state"], info["pid"] or None, info["start"]) for info in known}

    def start(self, name: str) -> None:
        """Ask for a server's start, unless it runs or is being started; does not wait."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise StackError(f"{name} could not be started: {fault.faultString}") from fault

    def shutdown(self) -> None:
        """Ask supervisord to stop every server and end; does not wait."""
        self._call("shutdown")

    def _call(self, method: str, *args: Any) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        try:
            proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
            return getattr(proxy.supervisor, method)(*args)
        finally:
            transport.close()
