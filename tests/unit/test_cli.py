"""The command line explains itself."""

import pytest
from click.testing import CliRunner

from outlay.cli import VERBS, cli
from outlay.cli.bench import NAMES
from tests.support import PROJECT, outlay


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example" in result.output


def test_an_unknown_verb_is_refused_with_a_hint():
    result = CliRunner().invoke(cli, ["upp"])
    assert result.exit_code != 0
    assert "upp" in result.output


def test_linking_and_giving_back_are_two_things():
    result = CliRunner().invoke(cli, ["match", "--apply", "--undo", "0198c0de-0000-7000-8000-000000000000"])
    assert result.exit_code == 2
    assert "give one of them" in result.output


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_says_what_it_measures(name):
    said = outlay("bench", name, "--help")
    assert said.returncode == 0, said.stderr
    assert f"outlay bench {name}" in said.stdout


def test_every_benchmark_of_the_source_tree_has_a_name():
    bench = PROJECT / "bench"
    files = {path.stem for path in bench.glob("*.py")} | {path.parent.name for path in bench.glob("*/__main__.py")}
    files -= {"households", "purchases", "bare", "sizes"}  # what others write, run and ask
    assert {module.removeprefix("bench.") for module in NAMES.values()} == files
