"""What Dagster loads is there in a moment: no library that only a run needs is imported, or started, to tell the graph.

A build, a page and a check of the code server wait for it. No test measures seconds, which are the machine's: this one
names what costs them.
"""

import json
import os
import subprocess
import sys

from tests.support import PROJECT

ONLY_RUNS_NEED = {
    "dbt.cli",  # dagster-dbt reads names and types of dbt's; its commands, parser and tasks are a run's
    "dbt.parser",
    "dbt.task",
    "duckdb",
    "great_expectations",
    "pandas",
    "pyarrow",
    "pyspark",
    "streamlit",
}

LOAD = """
import json, sys
from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module

(found,) = loadable_targets_from_python_module("orchestration.definitions", working_directory=None)
found.target_definition.get_repository_def()
print(json.dumps(sorted(sys.modules)))
"""


def test_to_load_the_definitions_as_the_code_server_does_imports_nothing_that_only_a_run_needs():
    from orchestration.defs.gold.project import manifest

    manifest()  # where there is none yet, dbt makes it, once for each change of the project
    given = {**os.environ, "PYTHONPATH": str(PROJECT)}  # as the code server has it
    done = subprocess.run([sys.executable, "-c", LOAD], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "dagster_dbt" in loaded
    assert loaded & ONLY_RUNS_NEED == set()
