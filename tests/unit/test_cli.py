"""The command line explains itself."""

import pytest
from click.testing import CliRunner

from outlay.cli import VERBS, cli


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example" in result.output


def test_an_unknown_verb_is_refused_with_a_hint():
    result = CliRunner().invoke(cli, ["upp"])
    assert result.exit_code != 0
    assert "upp" in result.output
