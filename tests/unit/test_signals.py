"""A process that is told to stop stops, whatever it was doing."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# The signal arrives while the main thread holds the event's lock, as it does for moments within each wait().
TOLD_WITHIN_A_WAIT = """
import os, sys
from outlay.signals import stop_on_signals

stop = stop_on_signals()
with stop._cond:
    os.kill(os.getpid(), int(sys.argv[1]))
    for _ in range(1000):
        pass  # the handler runs here
print("stopped" if stop.wait(20) else "not told")
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_within_a_wait_for_the_stop_ends_the_wait(signum):
    command = [sys.executable, "-c", TOLD_WITHIN_A_WAIT, str(int(signum))]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "stopped\n"
