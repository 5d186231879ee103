"""A server is healthy when it serves, and when it is ours that does."""

import os
import socket
import subprocess
import sys

import pytest

from outlay.stack import health
from outlay.stack.errors import NotReady
from outlay.stack.spec import ServiceSpec


@pytest.fixture
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def spec(port: int) -> ServiceSpec:
    return ServiceSpec(name="webserver", address="", healthy=lambda: None, argv=("true",), port=port)


def test_a_process_that_listens_on_its_port_is_healthy(listening):
    health.check(spec(listening), os.getpid())


def test_another_program_that_answers_in_its_place_is_told(listening):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with pytest.raises(NotReady, match=f"another program listens on its port {listening}"):
            health.check(spec(listening), stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()
