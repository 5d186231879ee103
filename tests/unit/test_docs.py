"""What the pages of the documentation name is there: tests, files and verbs."""

import re
from pathlib import Path

import pytest

from ingestion.rules import NAMES, RELEASABLE
from outlay.cli import VERBS
from tests.support import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of all tests."""
    sources = [path.read_text() for path in (PROJECT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path, tests: set[str]):
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert named - tests == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_exists(page: Path):
    linked = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in linked if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_that_a_page_tells_to_run_exists(page: Path):
    told = re.findall(r"(?:`|bin/|-m )outlay ([a-z][a-z-]*)", page.read_text())
    assert set(told) - VERBS.keys() == set()


def test_every_line_of_the_log_to_live_page_names_its_test():
    rows = re.findall(
        r"^\| (?!what|killed)[^|\n]+\|[^|\n]+\|([^|\n]+)\|$", (PROJECT / "docs/exactly-once.md").read_text(), re.M
    )
    assert rows
    steps = [row for row in rows if "test_" not in row]
    assert len(steps) == 4  # the points of one parametrised test, which is named above them


def test_the_page_on_quarantine_names_every_rule_and_which_may_be_waived():
    rows = re.findall(r"^\| (`[^|]+) \|[^|]+\| (yes|no) \|$", (PROJECT / "docs/quarantine.md").read_text(), re.M)
    said = {rule: waived == "yes" for named, waived in rows for rule in re.findall(r"`(\w+)`", named)}
    assert said == {rule: rule in RELEASABLE for rule in NAMES}
