"""Whatever a program sends, the API answers as it says it does: schemathesis makes it up, and looks at the answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outlay.api import process
from outlay.ledger.workspaces import ensure_account, workspaces_of
from tests.accounts import Person, forgive_attempts, open_installation
from tests.api import served
from tests.support import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(7200)]

EXAMPLES = os.environ.get("OUTLAY_TEST_EXAMPLES", "5")
"""Of each operation, besides those that try each bound of each value once."""
SEED = os.environ.get("OUTLAY_TEST_SEED", "1")


def test_whatever_is_sent_is_answered_as_described(stack, tmp_path):
    """All checks are on. The stream, which goes on for ever, has tests of its own."""
    with open_installation() as api, served(api, at="") as address:
        forgive_attempts()
        anna = Person(api)
        [home] = workspaces_of(anna.user_id)
        card = ensure_account(process.ledger(), home, name="Card", currency="EUR", type="card")
        known = {
            "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
            "OUTLAY_TEST_API": f"{address} {anna.email} {home.workspace_id} {card.account_id}",
            "PYTHONPATH": str(PROJECT),
            "NO_COLOR": "1",
        }
        program = Path(sys.executable).with_name("st")
        command = [
            *(program, "--config-file", PROJECT / "tests" / "schemathesis.toml", "run", f"{address}/openapi.json"),
            *("--url", address, "--exclude-path", "/expenses/stream", "--checks", "all", "--max-examples", EXAMPLES),
            *("--seed", SEED, "--warnings", "off"),
        ]
        done = subprocess.run(
            command, env={**os.environ, **known}, cwd=tmp_path, capture_output=True, text=True, check=False
        )
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stderr[-2_000:]
    operations = sum(len(methods) for methods in api.openapi()["paths"].values())
    assert re.search(rf"Tested: {operations - 1}$", done.stdout, re.MULTILINE)
