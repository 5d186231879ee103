"""What Dagster's own pages show of figures: a picture, and the size of a table."""

import pytest
from playwright.sync_api import Browser, expect

from outlay.builds import Dagster
from tests.app.conftest import SLOW

pytestmark = [pytest.mark.app, pytest.mark.timeout(900)]


def test_the_chart_of_the_last_builds_is_a_picture_and_a_table_tells_its_size(browser: Browser, stack):
    dagster = Dagster(stack.dagster_url)
    for job in ("build", "data_docs"):
        *_, ended = dagster.follow(dagster.launch(job))
        assert ended.subject == "SUCCESS", job
    page = browser.new_page(viewport={"width": 1360, "height": 1000})
    page.set_default_timeout(SLOW)
    page.goto(f"{stack.dagster_url}/assets/quality/builds?view=events")
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.locator("img[src^='data:image/svg+xml']")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.goto(f"{stack.dagster_url}/assets/gold/dim_currency")
    expect(page.get_by_text("Row count")).to_be_visible()
    page.close()
