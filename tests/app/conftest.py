"""A real browser in front of the pages of the running stack, and a workspace that nothing else touches."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote_plus
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from outlay.api import process
from outlay.ledger.workspaces import Workspace, ensure_account, ensure_workspace
from outlay.settings import PROJECT, Settings
from tests.support import until

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SLOW = 30_000  # ms; a hang, not a speed limit


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address(stack: Settings) -> Iterator[str]:
    """Where the pages are: the stack's own, or a server started here where the stack runs without one."""
    if answers(stack.app_url):
        yield stack.app_url
        return
    port = stack.port("app")
    command = [sys.executable, "-m", "uvicorn", "streamlit_app.asgi:app", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(stack.app_url), what="the app answers")
        yield stack.app_url
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def household(stack: Settings) -> Workspace:
    """A workspace of its own with two accounts, Card and Cash."""
    ledger = process.ledger()
    workspace = ensure_workspace(ledger, name=f"Home {str(uuid4())[:8]}", currency="EUR", time_zone="Europe/Berlin")
    for name, kind in (("Card", "card"), ("Cash", "cash")):
        ensure_account(ledger, workspace, name=name, currency="EUR", type=kind)
    return workspace


@pytest.fixture
def visit(browser: Browser, address: str, stack: Settings, household: Workspace):
    """Opens a page of the app in a browser window of its own that holds the key: ``visit("expenses")``."""
    contexts = []

    def visit(path: str, *, workspace: Workspace = household) -> Page:
        context = browser.new_context(viewport={"width": 1360, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.goto(stack.entry_url)
        page.goto(f"{address}/{path}?workspace={quote_plus(workspace.name)}")
        settle(page)
        return page

    yield visit
    for context in contexts:
        context.close()


def settle(page: Page) -> None:
    """Wait until the page's script has run to its end."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def seconds_until(page: Page, text: str) -> float:
    """How long until `text` is on the page."""
    began = time.monotonic()
    page.get_by_text(text).first.wait_for()
    return time.monotonic() - began


def add(page: Page, *, amount: str, what: str, account: str = "Card") -> None:
    """Fill the empty form of a new expense and press Enter."""
    settle(page)
    expect(page.get_by_label("Amount")).to_have_value("")
    page.get_by_label("Amount").fill(amount)
    choose(page, "Account", account)
    page.get_by_label("Merchant or description").fill(what)
    page.get_by_label("Merchant or description").press("Enter")
