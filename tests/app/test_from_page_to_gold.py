"""What is typed into the page is in gold's figures after a materialisation launched by hand in Dagster's pages."""

import httpx
import pytest
from playwright.sync_api import expect

from outlay.builds import Dagster
from outlay.db import session
from outlay.ledger.tracing import trace
from tests.app.conftest import SLOW, add, settle

pytestmark = [pytest.mark.app, pytest.mark.timeout(900)]

_RUNS = """
query { runsOrError(limit: 1) { ... on Runs { results { runId status pipelineName tags { key value } } } } }
"""


def newest_run(url: str) -> dict:
    answer = httpx.post(f"{url}/graphql", json={"query": _RUNS}, timeout=30).json()
    return answer["data"]["runsOrError"]["results"][0]


def test_an_expense_typed_into_the_page_is_in_gold_after_a_materialisation_from_the_web_page(visit, stack, household):
    page = visit("add")
    add(page, amount="41.20", what="Book shop")
    page.get_by_text("Book shop").first.wait_for()

    dagster = page.context.new_page()
    dagster.set_default_timeout(SLOW)
    dagster.goto(f"{stack.dagster_url}/locations/outlay/jobs/build")
    button = dagster.locator("button", has_text="Materialize all").first
    expect(button).to_be_enabled()
    with dagster.expect_response(lambda response: "op=LaunchPipelineExecution" in response.url) as launched:
        button.click()
    assert launched.value.ok

    run = newest_run(stack.dagster_url)
    assert run["pipelineName"] == "build"
    assert {"key": "dagster/from_ui", "value": "true"} in run["tags"], run["tags"]
    *_, end = Dagster(stack.dagster_url).follow(run["runId"])
    assert end.subject == "SUCCESS"

    page = visit("")
    settle(page)
    figures = page.get_by_test_id("stMetric")
    expect(figures.first).to_contain_text("41.20\u00a0EUR")

    with session("owner") as connection:
        rows = connection.execute(
            "SELECT correlation_id FROM live.events WHERE workspace_id = %s AND state ->> 'description' = 'Book shop'",
            (household.workspace_id,),
        ).fetchall()
    [(correlation_id,)] = rows
    [event] = trace(correlation_id)
    assert [step.place for step in event.steps] == ["recorded", "log", "live", "bronze", "silver", "gold"]
    assert [step.at for step in event.steps] == sorted(step.at for step in event.steps)
