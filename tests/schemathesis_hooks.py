"""What schemathesis is to know of the API under test: who asks, and of what there is (`SCHEMATHESIS_HOOKS`).

Made-up requests that are right are pointed at something that is there, so that they are more than refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import schemathesis

from tests.accounts import PASSWORD, forgive_attempts

ADDRESS, EMAIL, WORKSPACE, ACCOUNT = os.environ["OUTLAY_TEST_API"].split()
THERE = {"X-Outlay-Workspace": WORKSPACE}
THINGS: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "transaction_id": (
        "/expenses",
        lambda: {"account_id": ACCOUNT, "occurred_on": "2026-03-14", "amount": "12.50", "currency": "EUR"},
    ),
    "account_id": ("/accounts", lambda: {"name": "Purse", "type": "cash", "currency": "EUR"}),
    "category_id": ("/categories", lambda: {"name": f"Own {uuid4()}"}),
}
"""Parameter of a path to how one is made."""
COUNTED = ("/auth/", "/workspaces", "/invitations")
"""Begins of paths that may be asked only so often."""


def logged_in() -> dict[str, str]:
    forgive_attempts()
    answer = httpx.post(f"{ADDRESS}/auth/tokens", json={"email": EMAIL, "password": PASSWORD}, timeout=60)
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


@schemathesis.auth(refresh_interval=600).apply_to(path_regex="^(?!/auth/)")
class Once:
    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> dict[str, str]:
        return logged_in()

    def set(self, case: schemathesis.Case, data: dict[str, str], context: schemathesis.AuthContext) -> None:
        case.headers.update(data)


@schemathesis.auth(refresh_interval=None).apply_to(path_regex="^/auth/")
class EachTime(Once):
    """Some of these end the session that they come with, or all others."""


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.path.startswith(COUNTED):
        forgive_attempts()
    if case.meta is not None and case.meta.generation.mode.is_positive:
        case.headers.update(THERE)
        point_at_what_is_there(case)


def point_at_what_is_there(case: schemathesis.Case) -> None:
    """Give a request that is right the account, and the id of something new at the version that it has."""
    body = case.body if isinstance(case.body, dict) else {}
    for given in (body, *body.get("expenses", ())):
        if "account_id" in given:
            given["account_id"] = ACCOUNT
    for parameter in case.path_parameters.keys() & THINGS.keys():
        where, thing = THINGS[parameter]
        headers = {**THERE, "Authorization": case.headers.get("Authorization", "")}
        made = httpx.post(f"{ADDRESS}{where}", json=thing(), headers=headers, timeout=60)
        if made.is_success:
            case.path_parameters[parameter] = made.json()[parameter]
            if "If-Match" in case.headers or "if-match" in case.headers:
                case.headers["If-Match"] = '"1"'
