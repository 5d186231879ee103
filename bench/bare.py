"""What a build does without Dagster: the same functions, one after the other, in a process of their own.

Started by ``bench.orchestration``; prints as JSON after how many seconds each layer ended.
"""

from __future__ import annotations

import json
import time

from bench.purchases import land_all
from ingestion.contracts import TOPICS
from ingestion.rates import load_new_files
from orchestration.batches import publish, stage, staged
from orchestration.defs.gold.runner import invoke
from orchestration.defs.silver.staged import starting
from orchestration.expectations.gold import FACTS, audit
from orchestration.expectations.silver import audit_staged
from orchestration.spark import SparkResource, spark_config
from outlay.db import session
from outlay.ledger.reconciliation import reconcile
from outlay.settings import settings


def main() -> None:
    began = time.monotonic()
    ends = {step.__name__: (step(), time.monotonic() - began)[1] for step in (bronze, silver, gold, checks)}
    print(json.dumps({name: round(seconds, 2) for name, seconds in ends.items()}))


def bronze() -> None:
    land_all()


def silver() -> None:
    here = settings()
    spark = SparkResource(spark_config=spark_config(here))
    try:
        with session("pipeline", autocommit=True) as connection:
            load_new_files(connection, here.lake, here.seeds / "fx_rates", run_id=None)
            for topic in reversed(TOPICS):
                stage(starting(spark), connection, here.lake, topic)
            for topic in TOPICS:
                for batch in staged(connection, topic):
                    _refuse(
                        [
                            failure
                            for found in audit_staged(connection, here.lake, batch)
                            for failure in found.failures()
                        ]
                    )
            for topic in TOPICS:
                publish(connection, here.lake, topic)
    finally:
        spark.close()


def gold() -> None:
    _, _, problem = invoke(["build", "--exclude-resource-type", "unit_test"])
    _refuse([problem] if problem else [])


def checks() -> None:
    _refuse([failure for suite, held in audit() if held and suite == FACTS for failure in held.failures()])
    found = reconcile()
    _refuse([] if found.holds else [f"{found.differing} transactions differ between live and gold"])


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
