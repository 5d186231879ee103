"""`outlay live` as a system under measurement: production schema, history, decisions, lines and totals."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.live.system import Running, System, Task


class Projector(System):
    name = "outlay"
    table = "live.transactions"
    application = "outlay-live"

    def start(self, task: Task) -> Running:
        environment = os.environ | {"OUTLAY_DATABASE_URL": task.dsn}
        command = [sys.executable, "-m", "outlay", "live"]
        return Running([subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)])
