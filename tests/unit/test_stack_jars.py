"""Downloads are pinned, verified, and fetched again when they were damaged."""

import functools
import hashlib
import http.server
import re
import threading

import pytest
from jgo.maven import MavenContext

from outlay.stack import jars
from outlay.stack.errors import StackError

JAR = jars.Jar("spark", "org.example:thing:1.0", hashlib.sha256(b"the real thing").hexdigest())


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A Maven repository on this machine, in place of the public one."""
    folder = tmp_path / "remote"
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *args: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = {"here": f"http://127.0.0.1:{server.server_port}"}
        monkeypatch.setattr(jars, "MavenContext", functools.partial(MavenContext, remote_repos=here))
        monkeypatch.setattr(jars, "locked", lambda server=None: [JAR])
        file = folder / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
        file.parent.mkdir(parents=True)
        yield file
        server.shutdown()


def fetch(cache) -> list[tuple[str, int, int]]:
    said: list[tuple[str, int, int]] = []
    jars.fetch(["spark"], cache, lambda *progress: said.append(progress))
    return said


def test_a_file_is_downloaded_once(repository, tmp_path):
    repository.write_bytes(b"the real thing")
    assert fetch(tmp_path / "cache") == [("thing-1.0.jar", 14, 14)]
    assert JAR.path(tmp_path / "cache").read_bytes() == b"the real thing"
    repository.unlink()
    assert fetch(tmp_path / "cache") == []


def test_a_damaged_download_is_told_deleted_and_fetched_again(repository, tmp_path):
    repository.write_bytes(b"the damaged thing")
    with pytest.raises(StackError, match=r"org\.example:thing:1\.0 is damaged: expected sha256 .*, got .*run it again"):
        fetch(tmp_path / "cache")
    repository.write_bytes(b"the real thing")
    fetch(tmp_path / "cache")
    assert JAR.path(tmp_path / "cache").read_bytes() == b"the real thing"


def test_a_file_cut_short_in_the_cache_is_fetched_again(repository, tmp_path):
    repository.write_bytes(b"the real thing")
    fetch(tmp_path / "cache")
    JAR.path(tmp_path / "cache").write_bytes(b"the real")
    fetch(tmp_path / "cache")
    assert JAR.path(tmp_path / "cache").read_bytes() == b"the real thing"


def test_a_missing_file_is_one_clear_error(repository, tmp_path):
    with pytest.raises(StackError, match=r"could not download org\.example:thing:1\.0"):
        fetch(tmp_path / "cache")


def test_the_lock_pins_every_server_and_names_no_host():
    lines = [line for line in jars.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert {line.split()[0] for line in lines} == set(jars.PINS)
    assert [line for line in lines if not re.fullmatch(r"\w+ [\w.-]+(:[\w.-]+){2,4} [0-9a-f]{64}", line)] == []
    assert {pin for pins in jars.PINS.values() for pin in pins} <= {line.split()[1] for line in lines}
    versions = {line.split()[1].split(":")[-1] for line in lines if ":kafka" in line}
    assert versions == {"4.1.1"}


def test_coordinates_lie_where_maven_puts_them(tmp_path):
    registry = jars.Jar("registry", jars.REGISTRY, "")
    expected = "maven/io/apicurio/apicurio-registry-app/3.0.9/apicurio-registry-app-3.0.9-all.tar.gz"
    assert registry.path(tmp_path) == tmp_path / expected
