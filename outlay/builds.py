"""Launching and following a build in Dagster, through the same door as its web pages: GraphQL over HTTP.

A build launched here waits in the same queue as those of the schedule, the sensor and the web pages, and for the same
pools: two never overlap.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx

FIRST_DAY = date(2026, 1, 1)
"""Of silver that can be made again. No log is older: days are the broker's, and this is the first release's year."""

LOCATION = "outlay"
REPOSITORY = "__repository__"
_TRIES = 5
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message }
    ... on UnauthorizedError { message }
  }
}"""

_FOLLOW = """
query Follow($id: ID!, $cursor: String) {
  runOrError(runId: $id) { __typename ... on Run { status } }
  logsForRun(runId: $id, afterCursor: $cursor, limit: 500) {
    __typename
    ... on EventConnection {
      cursor
      hasMore
      events {
        __typename
        ... on MessageEvent { timestamp message stepKey }
        ... on MaterializationEvent { assetKey { path } metadataEntries { label ...Figure } }
        ... on ObservationEvent { assetKey { path } metadataEntries { label ...Figure } }
        ... on AssetCheckEvaluationEvent {
          evaluation { checkName success severity description assetKey { path } metadataEntries { label ...Figure } }
        }
        ... on ExecutionStepUpForRetryEvent { error { message causes { message } } }
        ... on ExecutionStepFailureEvent { error { message causes { message } } }
        ... on RunFailureEvent { error { message causes { message } } }
      }
    }
  }
}
fragment Figure on MetadataEntry {
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
  ... on TextMetadataEntry { text }
}"""

_TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) { __typename }
}"""

_ACTIVE = """
query Active($job: String!) {
  runsOrError(filter: {pipelineName: $job, statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) {
    ... on Runs { results { runId } }
  }
}"""


class DagsterUnavailable(RuntimeError):
    """Dagster's webserver does not answer, or refused the run."""


@dataclass(frozen=True)
class Happening:
    """One thing a run reported.

    `kind` is ``materialised``, ``observed``, ``checked``, ``retried``, ``failed`` or ``ended``; `subject` the asset,
    ``asset:check``, step or final status; `at` seconds since the epoch; `figures` numbers and texts of its metadata.
    """

    kind: str
    subject: str
    at: float
    ok: bool = True
    blocking: bool = False
    detail: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


class Dagster:
    """A client of the webserver at `url`.

    Raises from every method:
        DagsterUnavailable: it does not answer, or refused what was asked.
    """

    def __init__(self, url: str):
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=30)

    def launch(
        self,
        job: str,
        *,
        tags: dict[str, str] | None = None,
        config: dict | None = None,
        assets: list[tuple[str, ...]] | None = None,
    ) -> str:
        """Put a run of `job` in the queue, of all its assets or of those named; returns its id."""
        selector: dict[str, Any] = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": job}
        if assets is not None:
            selector["assetSelection"] = [{"path": list(path)} for path in assets]
        params = {
            "selector": selector,
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]},
        }
        for left in reversed(range(_TRIES)):
            try:
                answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
                break
            except DagsterUnavailable:  # after a restart of PostgreSQL each of its pools fails once; a build too many
                if not left:  # does no harm
                    raise
                time.sleep(1)
        if answer["__typename"] != "LaunchRunSuccess":
            reason = answer.get("message") or "; ".join(e["message"] for e in answer.get("errors", []))
            reason = reason or answer["__typename"]
            raise DagsterUnavailable(f"Dagster at {self._url} refused to launch {job}: {reason}")
        return answer["run"]["runId"]

    def active(self, job: str) -> list[str]:
        """Ids of the runs of `job` that wait or run."""
        return [run["runId"] for run in self._ask(_ACTIVE, {"job": job})["runsOrError"].get("results", [])]

    def terminate(self, run_id: str) -> None:
        self._ask(_TERMINATE, {"id": run_id})

    def follow(self, run_id: str, *, every: float = 0.3) -> Iterator[Happening]:
        """What the run reports, as it does; the last one is ``ended``. What does not come is asked for again."""
        cursor: str | None = None
        misses = 0
        while True:
            try:
                data = self._ask(_FOLLOW, {"id": run_id, "cursor": cursor})
            except DagsterUnavailable:
                misses += 1
                if misses > 100:
                    raise
                time.sleep(every)
                continue
            misses = 0
            logs, status = data["logsForRun"], data["runOrError"].get("status")
            for event in logs.get("events", []):
                happening = _read(event)
                if happening is not None:
                    yield happening
            cursor = logs.get("cursor", cursor)
            if status in ENDED and not logs.get("hasMore"):
                yield Happening("ended", status, time.time(), ok=status == "SUCCESS")
                return
            if not logs.get("hasMore"):
                time.sleep(every)

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post("/graphql", json={"query": query, "variables": variables})
            response.raise_for_status()
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterUnavailable(
                f"Dagster does not answer at {self._url} ({error}); see `outlay status` and `outlay logs webserver`"
            ) from error
        if answer.get("errors"):
            raise DagsterUnavailable(f"Dagster at {self._url}: {answer['errors'][0]['message']}")
        return answer["data"]


def _read(event: dict[str, Any]) -> Happening | None:
    at = float(event["timestamp"]) / 1000
    match event["__typename"]:
        case "MaterializationEvent":
            return Happening("materialised", _name(event["assetKey"]), at, figures=_figures(event["metadataEntries"]))
        case "ObservationEvent":
            return Happening("observed", _name(event["assetKey"]), at, figures=_figures(event["metadataEntries"]))
        case "AssetCheckEvaluationEvent":
            evaluation = event["evaluation"]
            return Happening(
                "checked",
                f"{_name(evaluation['assetKey'])}:{evaluation['checkName']}",
                at,
                ok=evaluation["success"],
                blocking=evaluation["severity"] == "ERROR",
                detail=evaluation["description"] or "",
                figures=_figures(evaluation["metadataEntries"]),
            )
        case "ExecutionStepUpForRetryEvent":
            return Happening("retried", event["stepKey"], at, ok=False, detail=_reason(event))
        case "ExecutionStepFailureEvent" | "RunFailureEvent":
            return Happening("failed", event["stepKey"] or "run", at, ok=False, detail=_reason(event))
    return None


def _reason(event: dict[str, Any]) -> str:
    error = event["error"]
    root = event if error is None else error["causes"][-1] if error["causes"] else error
    return " ".join(root["message"].split())


def _name(key: dict[str, list[str]]) -> str:
    return "/".join(key["path"])


def _figures(entries: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {}
    for entry in entries:
        for kind in ("intValue", "floatValue", "text"):
            if entry.get(kind) is not None:
                figures[entry["label"]] = entry[kind]
    return figures
