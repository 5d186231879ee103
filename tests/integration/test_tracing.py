"""Whoever asks for something finds it again: in the answer, the log of the process, the events, and each layer."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
import structlog
from click.testing import CliRunner

from outlay import correlation, logs
from outlay.cli import cli
from outlay.ledger.tracing import trace
from tests.api import household

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


@pytest.fixture
def told(capsys):
    """What a process with this log has told since the last look, and nothing that is no JSON."""
    before = structlog.get_config()
    logs.configure("INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    structlog.configure(**before)


def test_a_request_is_found_in_its_answer_in_the_log_and_in_its_event(house, told):
    answer = house.client.post("/expenses", json=house.draft())
    correlation_id = answer.headers["x-correlation-id"]
    assert UUID(correlation_id).version == 7
    [line] = told()
    assert line.pop("milliseconds") > 0
    assert line.pop("timestamp")
    assert line == {
        **{"event": "request", "level": "info", "method": "POST", "path": "/expenses", "status": 201},
        "correlation_id": correlation_id,
    }
    [event] = trace(correlation_id)
    assert (event.event_id, event.operation) == (UUID(answer.json()["event_id"]), "recorded")
    assert [step.place for step in event.steps] == ["recorded", "log", "live"]
    assert [step.at for step in event.steps] == sorted(step.at for step in event.steps)
    place = "{topic}/{partition} at {offset}".format(**answer.json())
    assert [step.what for step in event.steps] == ["api", place, "accepted"]


def test_a_caller_may_bring_its_own(house):
    given = f"night-shift.{uuid4()}"
    headers = {"X-Correlation-ID": given}
    drafts = {"expenses": [house.draft(), house.draft()]}
    answer = house.client.post("/expenses/bulk", json=drafts, headers=headers)
    assert answer.headers["x-correlation-id"] == given
    assert {each.entity_id for each in trace(given)} == {
        UUID(each["transaction_id"]) for each in answer.json()["outcomes"]
    }


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "line\tbreak", '{"json": 1}'])
def test_what_is_no_plain_word_is_replaced(house, given, told):
    answer = house.client.get("/accounts", headers={"X-Correlation-ID": given})
    assert answer.status_code == 200
    assert UUID(answer.headers["x-correlation-id"]).version == 7
    assert [line["correlation_id"] for line in told()] == [answer.headers["x-correlation-id"]]


def test_a_problem_names_its_request(house, told):
    answer = house.client.post("/expenses", json=house.draft(amount="4.505"))
    assert answer.status_code == 422
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"] == told()[-1]["correlation_id"]
    assert trace(answer.json()["correlation_id"]) == []


def test_no_query_and_no_credential_is_in_the_log(house, stack, told):
    house.client.get("/expenses", params={"text": "doctor"})
    [line] = told()
    assert line["path"] == "/expenses"
    assert "doctor" not in str(line)
    assert stack.api_token.get_secret_value() not in str(line)


def test_requests_at_once_keep_apart():
    with correlation.bound("one") as one:
        with correlation.bound() as two:
            assert correlation.current() == two != one
        assert correlation.current() == "one"
    assert correlation.current() is None


def test_a_retry_under_another_id_is_the_same_event(house):
    keyed = {"Idempotency-Key": str(uuid4())}
    draft = house.draft()
    first, again = (house.client.post("/expenses", json=draft, headers=keyed) for _ in range(2))
    assert first.json() == again.json()
    assert first.headers["x-correlation-id"] != again.headers["x-correlation-id"]
    assert [len(trace(answer.headers["x-correlation-id"])) for answer in (first, again)] == [1, 0]


def test_the_command_tells_people_and_programs(house):
    answer = house.client.post("/expenses", json=house.draft())
    correlation_id = answer.headers["x-correlation-id"]
    told = CliRunner().invoke(cli, ["trace", correlation_id])
    assert told.exit_code == 0, told.output
    assert answer.json()["transaction_id"] in told.output
    assert "accepted" in told.output
    [event] = json.loads(CliRunner().invoke(cli, ["trace", correlation_id, "--json"]).output)
    assert (event["event_id"], event["steps"][2]["place"]) == (answer.json()["event_id"], "live")
    nothing = CliRunner().invoke(cli, ["trace", "nobody"])
    assert (nothing.exit_code, "no event has the correlation id" in nothing.output) == (1, True)
