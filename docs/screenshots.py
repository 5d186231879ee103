"""The pictures of the README, taken from the running stack: the dashboard, and Dagster's graph of assets.

make screenshots
python docs/screenshots.py --workspace "Household Meyer" --app http://127.0.0.1:8600 --dagster http://127.0.0.1:3000
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from urllib.parse import urlencode

import click
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from outlay.settings import settings

IMAGES = Path(__file__).with_name("images")
LARGEST = 400 * 1024  # bytes of one picture
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
PATIENCE = 60_000  # ms


@click.command()
@click.option("--app", default=None, help="Address of the app; by default the running stack's.")
@click.option("--dagster", default=None, help="Address of Dagster's webserver; by default the running stack's.")
@click.option("--workspace", default=None, help="Name of the workspace on the dashboard; by default the first.")
@click.option("--month", default=None, help='Month on the dashboard, such as "March 2026"; by default the latest.')
@click.option("--only", type=click.Choice(["dashboard", "assets"]), default=None, help="Take this picture alone.")
def main(app: str | None, dagster: str | None, workspace: str | None, month: str | None, only: str | None) -> None:
    """Take the pictures into docs/images."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        if only in (None, "dashboard"):
            shown = {name: value for name, value in (("workspace", workspace), ("month", month)) if value}
            save("dashboard", dashboard(browser, app or settings().app_url, shown))
        if only in (None, "assets"):
            save("assets", assets(browser, dagster or settings().dagster_url))
        browser.close()


def dashboard(browser: Browser, address: str, shown: dict[str, str]) -> bytes:
    page = window(browser, width=1400, height=1230)
    page.goto(f"{address}/open?{urlencode({'key': settings().api_token.get_secret_value()})}")
    page.goto(f"{address}/?{urlencode(shown)}")
    page.get_by_text("Twelve months").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").last.wait_for()
    page.wait_for_timeout(1_500)  # the charts' entrance
    return page.screenshot()


def assets(browser: Browser, address: str) -> bytes:
    """The line of one fact from Kafka to the pages: the whole graph fits no picture."""
    page = window(browser, width=1500, height=1400)
    page.goto(f"{address}/assets/gold/fct_transactions?view=lineage&lineageScope=neighbors&lineageDepth=6")
    page.locator("foreignObject", has_text="fct_transactions").first.wait_for()
    page.get_by_text("Hide navigation").click()
    page.wait_for_timeout(4_000)  # the layout settles
    return page.screenshot(clip={"x": 66, "y": 0, "width": 1434, "height": 1400})


def window(browser: Browser, *, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
    page.set_default_timeout(PATIENCE)
    return page


def save(name: str, picture: bytes) -> None:
    """Write the picture, with fewer colours where it would be too large."""
    path = IMAGES / f"{name}.png"
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for shown in (image, image.quantize(256)):
        small = io.BytesIO()
        shown.save(small, "PNG", optimize=True)
        if small.tell() <= LARGEST:
            break
    else:
        raise click.ClickException(f"{path} would be {small.tell():,} bytes, more than {LARGEST:,}: show less")
    path.write_bytes(small.getvalue())
    click.echo(f"{path}  {small.tell() // 1024} KB")


if __name__ == "__main__":
    main()
