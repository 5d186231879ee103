"""The servers that integration, app and chaos tests talk to: the embedded ones, started once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from outlay.settings import Settings, settings
from tests.support import start_outlay

KINDS = ("integration", "app", "chaos")

SMALL = "postgres,kafka,registry,live"
"""The servers that tests marked `small` need: these alone are started where nothing else is to run."""


def pytest_configure() -> None:
    """What the tests' own process tells is beside what it prints: a failing test shows it."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture(scope="session", autouse=True)
def starting(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[tuple[Path, subprocess.Popen[str]] | None]:
    """The home of the stack, and the start of its servers, which goes on beside unit tests; None without need."""
    if all(_kind(item) == "unit" or item.get_closest_marker("apart") for item in request.session.items):
        yield None
        return
    given = os.environ.get("OUTLAY_TEST_HOME")
    home = Path(given).absolute() if given else tmp_path_factory.mktemp("outlay", numbered=True) / "home"
    some = os.environ.get("OUTLAY_TEST_SERVICES") or ("" if any(map(_is_large, request.session.items)) else SMALL)
    here = {"OUTLAY_HOME": str(home), "OUTLAY_AUTO_BUILD": "false"}
    up = start_outlay("up", *(("--only", some) if some else ()), **here)
    try:
        yield home, up
    finally:
        up.wait(600)
        if not given:
            stopped = start_outlay("down", **here)
            _, said = stopped.communicate(timeout=600)
            assert stopped.returncode == 0, said
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(starting) -> Iterator[Settings]:
    """Settings of a running stack with a home of its own, which ends with the session.

    ``OUTLAY_TEST_HOME=<home>`` uses that home's stack and leaves it running; ``OUTLAY_TEST_SERVICES=postgres,kafka``
    starts these alone, with what they need; otherwise it is all of them, or `SMALL` where that is enough.
    """
    home, up = starting
    said, complained = up.communicate(timeout=600)
    if up.returncode != 0:
        pytest.fail(f"the stack did not start: {said}{complained}")
    patch = pytest.MonkeyPatch()
    patch.setenv("OUTLAY_HOME", str(home))
    patch.setenv("OUTLAY_AUTO_BUILD", "false")
    settings.cache_clear()
    yield settings()
    patch.undo()
    settings.cache_clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first, so that a simple mistake shows before any server is started; what fills the servers last.

    Raises:
        pytest.UsageError: a test asks for the servers and is not marked as a kind that starts them.
    """
    for item in items:
        if _kind(item) == "unit" and "stack" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} asks for the stack: mark it as one of {', '.join(KINDS)}")
    items.sort(
        key=lambda item: (
            item.get_closest_marker("large") is not None,
            ("unit", *KINDS).index(_kind(item)),
            item.get_closest_marker("whole_log") is None,
        )
    )


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Print how many tests of each kind passed, failed or were skipped."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            if outcome == "passed" and report.when != "call":
                continue
            kind = next((kind for kind in KINDS if kind in getattr(report, "keywords", ())), "unit")
            counts.setdefault(kind, Counter())[outcome] += 1
    terminalreporter.section("tests of each kind")
    for kind in ("unit", *KINDS):
        if kind in counts:
            said = ", ".join(f"{count} {outcome}" for outcome, count in counts[kind].items())
            terminalreporter.write_line(f"{kind:<12} {sum(counts[kind].values()):>4}: {said}")


def _is_large(item: pytest.Item) -> bool:
    """Whether the item needs servers beyond `SMALL` that its session shares."""
    return _kind(item) != "unit" and not any(map(item.get_closest_marker, ("apart", "small")))


def _kind(item: pytest.Item) -> str:
    return next((kind for kind in KINDS if item.get_closest_marker(kind)), "unit")
