"""One example of each thing that the API takes and gives, for its description: a flat that Anna shares with Bert."""

from __future__ import annotations

from typing import Any

_ANNA, _BERT = "7d3b5c1a-52f5-4d29-9a4c-0f6f2a1f7c11", "a8f2f1de-0c64-4f0e-8a57-6b1d0e7f3b22"
_FLAT, _CARD = "2f395075-a509-50be-a310-b0d4341ff9ad", "5b0e7a64-31c8-4c39-9d3e-8c1a2b4d6e33"
_COFFEE, _EVENT = "0d1f7d5e-6a4b-5b7e-9a51-3f0c5a2e8d44", "c4b1a9e2-8d37-5f60-a2be-1e9d7c6b5a55"
_SESSION, _TOKEN = "e1a2b3c4-d5e6-4f70-8a9b-0c1d2e3f4a66", "f9e8d7c6-b5a4-4392-8170-6f5e4d3c2b77"
_LINE, _INVITATION = "b2c3d4e5-f6a7-5b89-9c0d-1e2f3a4b5c88", "d0e1f2a3-b4c5-4d6e-8f70-8192a3b4c599"
_RECEIPT, _BUDGET = "91b0c2d3-e4f5-5a6b-8c7d-9e0f1a2b3caa", "82a1b0c9-d8e7-4f65-9a4b-3c2d1e0f9bbb"
_SPRING, _LATER = "2026-03-14T09:26:53.589793Z", "2026-06-12T09:26:53.589793Z"
_PASSWORD = "four wooden lanterns"  # noqa: S105 - an example
_CODE = "outlay_code_8Jx0mYqSgV3v2Zb1"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_coffee_spent = {
    "category_id": "food.coffee",
    "name": "Coffee and bakery",
    "path": "Food and drink › Coffee and bakery",
    "spent": "41.2000",
    "before": "38.9000",
    "year_before": "22.5000",
}
_new_expense = {
    "account_id": _CARD,
    "occurred_on": "2026-03-14",
    "amount": "4.50",
    "currency": "EUR",
    "description": "COFFEE FELLOWS 4711 BERLIN",
    "tags": ["friends"],
    "external_id": "card-2026-03-14-17",
}
_expense = {
    "transaction_id": _COFFEE,
    "version": 2,
    "operation": "amended",
    "kind": "expense",
    "status": "posted",
    "occurred_on": "2026-03-14",
    "posted_on": "2026-03-16",
    "amount": "4.5000",
    "currency": "EUR",
    "merchant": "Coffee Fellows",
    "description": "COFFEE FELLOWS 4711 BERLIN",
    "counterparty": None,
    "account_id": _CARD,
    "category_id": "food.coffee",
    "category_source": "rule",
    "mcc": "5814",
    "note": "with Bert",
    "tags": ["friends"],
    "refund_of": None,
    "transfer_pair": None,
    "attachments": [
        {"attachment_id": _RECEIPT, "name": "receipt.png", "media_type": "image/png", "sha256": _HASH},
    ],
    "source": "api",
    "external_id": "card-2026-03-14-17",
    "recorded_at": _SPRING,
    "receipt_url": f"/api/expenses/{_COFFEE}/attachments/{_RECEIPT}",
}
_detail = {
    **_expense,
    "lines": [
        {"line_id": _LINE, "amount": "3.0000", "category_id": "food.coffee", "note": None},
        {"line_id": _BUDGET, "amount": "1.5000", "category_id": "food.groceries", "note": "milk"},
    ],
}
_outcome = {"outcome": "inserted", "transaction_id": _COFFEE, "event_id": _EVENT, "version": 1, "detail": None}
_account = {"name": "Visa", "type": "card", "currency": "EUR", "institution": "Sparkasse", "owner_id": _ANNA}
_bees = {
    "category_id": "leisure.bees",
    "version": 2,
    "parent_id": "leisure",
    "name": "Bees",
    "path": "Leisure › Bees",
    "archived": True,
    "merged_into": "leisure.hobbies",
}
_workspace = {"name": "Flat", "currency": "EUR", "time_zone": "Europe/Berlin"}
_person = {"name": "Anna", "email": "anna@example.org"}
_invitation = {
    "invitation_id": _INVITATION,
    "role": "editor",
    "email": "bert@example.org",
    "invited_by": _ANNA,
    "created_at": _SPRING,
    "expires_at": "2026-03-21T09:26:53.589793Z",
}
_personal_token = {
    "token_id": _TOKEN,
    "name": "Spreadsheet",
    "scopes": ["read"],
    "created_at": _SPRING,
    "expires_at": _LATER,
    "seen_at": None,
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Credentials": {"email": "anna@example.org", "password": _PASSWORD},
    "NewUser": {**_person, "password": _PASSWORD, "currency": "EUR", "time_zone": "Europe/Berlin", "locale": "de-DE"},
    "Confirmation": {"code": _CODE, "password": _PASSWORD},
    "LoggedIn": {"session_id": _SESSION, "expires_at": _LATER},
    "TokensOut": {
        "token_type": "Bearer",
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI3ZDNiNWMxYSJ9.c2lnbmVk",
        "refresh_token": "outlay_refresh_3kQ0mYqSgV3v2Zb1",
        "expires_in": 900,
        "session_id": _SESSION,
    },
    "Refresh": {"refresh_token": "outlay_refresh_3kQ0mYqSgV3v2Zb1"},
    "PasswordChange": {"current_password": _PASSWORD, "password": "eleven quiet harbours", "keep_other_sessions": True},
    "PasswordAsked": {"email": "anna@example.org"},
    "PasswordReset": {"code": _CODE, "password": "eleven quiet harbours"},
    "Said": {"detail": "log in; if this address had an account before, its password is as it was"},
    "SessionOut": {
        "session_id": _SESSION,
        "kind": "browser",
        "address": "192.0.2.7",
        "client": "Mozilla/5.0",
        "created_at": _SPRING,
        "seen_at": _SPRING,
        "expires_at": _LATER,
        "current": True,
    },
    "NewPersonalToken": {"name": "Spreadsheet", "scopes": ["read"], "days": 90},
    "PersonalTokenOut": _personal_token,
    "PersonalTokenMade": {**_personal_token, "token": "outlay_token_5Hw0mYqSgV3v2Zb1"},
    "ProfileOut": {
        **_person,
        "user_id": _ANNA,
        "version": 3,
        "locale": "de-DE",
        "time_zone": "Europe/Berlin",
        "picture_url": "/api/me/picture",
    },
    "ProfileChanges": {"name": "Anna B.", "locale": "de-DE"},
    "NewWorkspace": _workspace,
    "WorkspaceChanges": {"name": "The old flat"},
    "WorkspaceOut": {**_workspace, "workspace_id": _FLAT, "role": "owner"},
    "MemberOut": {
        **_person,
        "user_id": _ANNA,
        "role": "owner",
        "version": 1,
        "picture_url": f"/api/members/{_ANNA}/picture",
    },
    "NewRole": {"role": "editor"},
    "NewInvitation": {"role": "editor", "email": "bert@example.org", "days": 7},
    "InvitationOut": _invitation,
    "InvitationMade": {**_invitation, "code": "outlay_invitation_7Rt0mYqSgV3v2Zb1"},
    "InvitationCode": {"code": "outlay_invitation_7Rt0mYqSgV3v2Zb1"},
    "JoinedOut": {"workspace_id": _FLAT, "role": "editor"},
    "NewAccount": _account,
    "AccountChanges": {"name": "Visa Gold"},
    "AccountOut": {**_account, "account_id": _CARD, "version": 1, "closed": False},
    "NewCategory": {"name": "Bees", "parent_id": "leisure"},
    "CategoryChanges": {"name": "Beekeeping"},
    "CategoryOut": _bees,
    "MergedInto": {"into": "leisure.hobbies"},
    "MovedOut": {"category": _bees, "expenses": 41, "categories": 2, "set_aside": 0, "changed_since": 1},
    "UsesOut": {
        "expenses": 41,
        "first_on": "2025-04-02",
        "last_on": "2026-03-14",
        "below": ["leisure.bees.honey"],
        "budgets": [{"budget_id": _BUDGET, "name": "Hobbies"}],
    },
    "NewExpense": _new_expense,
    "NewExpenses": {"expenses": [_new_expense]},
    "Changes": {"note": "with Bert", "tags": ["friends"]},
    "AnswerOut": {
        "decision": "accepted",
        "event_id": _EVENT,
        "transaction_id": _COFFEE,
        "version": 1,
        "topic": "transaction",
        "partition": 2,
        "offset": 117,
    },
    "OutcomesOut": {"inserted": 1, "already_there": 0, "pending": 0, "refused": 0, "outcomes": [_outcome]},
    "ExpenseDetail": _detail,
    "ExpensesOut": {"expenses": [_expense], "next": "WyJuZXdlc3QiLCIyMDI2LTAzLTE0Il0"},
    "ChangedOut": {"expenses": [_detail], "cursor": "W1siM3lpb3dtMTAiLDIsMTE3XV0", "more": False},
    "VersionOut": {
        "version": 2,
        "operation": "amended",
        "event_id": _EVENT,
        "actor_id": _BERT,
        "actor": "Bert",
        "source": "api",
        "recorded_at": _SPRING,
        "changed": [{"field": "note", "before": None, "after": "with Bert"}],
    },
    "TotalOut": {
        "month": "2026-03",
        "currency": "EUR",
        "kind": "expense",
        "category_id": "food.coffee",
        "account_id": _CARD,
        "account": "Visa",
        "member_id": _ANNA,
        "lines": 9,
        "amount": "41.2000",
    },
    "DashboardOut": {
        "month": "2026-03",
        "currency": "EUR",
        "built_at": _SPRING,
        "newer": 2,
        "includes_newer": True,
        "day": 14,
        "spent": "845.9000",
        "before": {"month": "2026-02", "spent": "1712.4000", "to_day": "803.1500"},
        "year_before": {"month": "2025-03", "spent": "1598.0500", "to_day": "790.0000"},
        "trend": [{"month": "2026-02", "spent": "1712.4000"}, {"month": "2026-03", "spent": "845.9000"}],
        "categories": [_coffee_spent],
        "merchants": [{"merchant": "Coffee Fellows", "spent": "31.5000", "purchases": 7}],
        "accounts": [{"account_id": _CARD, "account": "Visa", "member_id": _ANNA, "spent": "845.9000"}],
        "members": [{"member_id": _ANNA, "member": "Anna", "spent": "845.9000"}],
        "currencies": [{"currency": "EUR", "purchases": 46, "not_converted": "0.0000", "purchases_not_converted": 0}],
    },
    "Health": {"status": "ok"},
    "Problem": {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "amount: expected at most 2 decimals in EUR, got 4.505",
        "errors": [{"field": "amount", "message": "expected at most 2 decimals in EUR, got 4.505"}],
        "correlation_id": "01a20b98-8c2c-7f69-9929-e2731bd703f3",
    },
}
"""Name of the schema to an example of it."""
