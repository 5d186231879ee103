"""Spark as this installation has it: how a session is made, waited for, and given back."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from outlay.settings import Settings
from outlay.stack.errors import NotReady
from outlay.stack.services.spark import check_remote, lake_options, libraries

SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    # Inferring constraints from the rules' long expressions takes longer than a small batch, and gigabytes at worst.
    "spark.sql.constraintPropagation.enabled": "false",
}
"""What every Spark session of silver has, wherever it runs."""

LONGEST_PAUSE = 5_000
"""Milliseconds between two of the 16 tries of a question to a Connect server: a minute in all."""


LONGEST_WAIT = 120
"""Seconds for which a session on a cluster waits for its first executor, while others may have every core."""


def spark_config(here: Settings) -> dict[str, Any]:
    """How a Spark session is made: on a Connect server (``sc://``), or on a master."""
    if here.spark.startswith("sc://"):
        return {"spark.remote": here.spark, **SESSION}
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # its workers would run the first python3 of the path
    return {
        "spark.master": here.spark,
        "spark.app.name": "outlay",
        "spark.jars": ",".join(map(str, libraries(here))),
        "spark.ui.enabled": "false",
        **lake_options(here),
        **SESSION,
    }


class SparkResource(LazyPySparkResource):
    """Dagster's Spark resource, which waits for a Connect server no longer than its restart takes, and gives its
    session back.
    """

    @property
    def spark_session(self) -> SparkSession:
        """The session; started when there is none.

        Raises:
            NotReady: the server does not accept connections, or no worker of the cluster was free in time.
        """
        remote, is_new = self.spark_config.get("spark.remote"), self._spark_session is None
        if remote and self._spark_session is None:
            check_remote(remote)  # to begin a session pyspark would wait ten minutes
        session = super().spark_session
        if remote:
            from pyspark.sql.connect.client.retries import DefaultPolicy

            session.client.set_retry_policies([DefaultPolicy(max_backoff=LONGEST_PAUSE)])
        elif is_new:
            self._wait_for_executor(session)
        return session

    def _wait_for_executor(self, session: SparkSession) -> None:
        """Spark itself would wait for ever, and the build would hold its place in the queue."""
        master = self.spark_config["spark.master"]
        if not master.startswith("spark://") or session.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
            return
        tracker, deadline = session.sparkContext._jsc.sc().statusTracker(), time.monotonic() + LONGEST_WAIT
        while len(tracker.getExecutorInfos()) < 2:  # the driver is one
            if time.monotonic() > deadline:
                self.close()
                raise NotReady(
                    f"no worker of {master} was free for {LONGEST_WAIT} s: see the master's page, start a worker, or "
                    "leave cores to this application with spark.cores.max in that of the others"
                )
            time.sleep(0.1)

    def close(self) -> None:
        """End the session, if one was started: a Connect server would keep it for an hour."""
        if self._spark_session is not None:
            self._spark_session.stop()
            self._spark_session = None
