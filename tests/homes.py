"""A home of its own for a test that starts, kills and stops servers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from outlay.settings import PROJECT, Settings
from outlay.stack import processes
from outlay.stack.status import Status, status
from outlay.stack.supervisor import Supervisor


@dataclass
class Home:
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def outlay(self, *args: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a verb in this home."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("OUTLAY_")}
        if cache := os.environ.get("OUTLAY_CACHE"):
            given["OUTLAY_CACHE"] = cache
        return subprocess.run(
            [sys.executable, "-m", "outlay", *args],
            env=given | {"OUTLAY_HOME": str(self.folder), "OUTLAY_AUTO_BUILD": "false"} | self.env,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def up(self, *services: str) -> str:
        """Start some servers, expect success, and return what was printed."""
        done = self.outlay("up", "--only", ",".join(services))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Status]:
        return {service.name: service for service in status(self.settings)}

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in Supervisor(self.folder).processes().items() if process.pid}

    def processes(self) -> list[psutil.Process]:
        return processes.of_home(self.folder)

    @property
    def settings(self) -> Settings:
        given = {name.removeprefix("OUTLAY_").lower(): value for name, value in self.env.items()}
        return Settings(home=self.folder, **given)


@contextmanager
def home_with(*services: str) -> Iterator[Home]:
    """A new home with these servers running; stopped, and gone with all they held, when the block ends."""
    with tempfile.TemporaryDirectory(prefix="outlay-home-") as folder:
        home = Home(Path(folder) / "home")
        try:
            home.up(*services)
            yield home
        finally:
            home.outlay("down")
