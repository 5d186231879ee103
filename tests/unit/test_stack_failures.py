"""What the stack says when a machine lacks something or a server does not start."""

import pytest

from outlay.stack import java, preflight
from outlay.stack.errors import StackError
from outlay.stack.log_tail import reason

PYTHON = """\
INFO starting
Traceback (most recent call last):
  File "a.py", line 1, in <module>
AttributeError: module 'x' has no attribute 'y'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 2, in load
dagster._core.errors.DagsterUserCodeLoadError: Error occurred during the loading of Dagster definitions in
executable_path=/venv/bin/python
\x1b[32mINFO\x1b[0m next try
"""
JAVA = """\
Exception in thread "main" java.lang.RuntimeException: Failed to start
\tat io.quarkus.Start.main(Start.java:1)
Caused by: java.lang.IllegalStateException: Unable to create folder
\t... 10 more
Caused by: java.nio.file.AccessDeniedException: /tmp/vertx-cache
\t... 17 more
"""
POSTGRES = "LOG:  starting PostgreSQL\n2026 UTC [1] FATAL:  lock file is bogus\nHINT:  remove it\n"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (PYTHON, "AttributeError: module 'x' has no attribute 'y'"),
        (JAVA, "java.nio.file.AccessDeniedException: /tmp/vertx-cache"),
        (POSTGRES, "2026 UTC [1] FATAL:  lock file is bogus"),
        ("just\nlines\n\n", "lines"),
        ("", ""),
    ],
)
def test_the_root_cause_is_taken_out_of_a_log(log, said):
    assert reason(log) == said


def test_no_java_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StackError, match=r"no Java found at .*: install a Java 17 or newer"):
        java.check()


def test_an_old_java_is_named(monkeypatch, tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(StackError, match=r'expected Java 17 or newer, got openjdk version "11\.0\.2"'):
        java.check()


def test_a_full_disk_is_told_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(preflight, "FREE_BYTES", 2**62)
    with pytest.raises(StackError, match=r"GB left, expected at least"):
        preflight.check(tmp_path / "not" / "made" / "yet", {"postgres"})
