"""What a page does to expenses, and the line that then says so, with the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import streamlit as st

from ingestion.events import owner_of
from outlay import correlation
from outlay.api.process import ledger
from outlay.ledger.commands import Answer, KafkaUnavailable, Refused, TransactionDraft
from streamlit_app import workspace
from streamlit_app.text import plain

_NOTICE = "_notice"
NO_KAFKA = (
    "The log of expenses does not answer, so nothing was changed. `outlay status` says what is wrong; then try again."
)


@dataclass(frozen=True)
class Undo:
    """How to take a change back: the command, and the version it applies to."""

    command: Literal["void", "restore", "amend"]
    transaction_id: UUID
    version: int
    changes: dict[str, Any] | None = None


def record(draft: dict[str, Any], *, event_id: UUID) -> Answer:
    """Record an expense of the form. Sending it again with the same `event_id` is the same event.

    Raises:
        Refused, KafkaUnavailable: nothing was recorded.
    """
    chosen = workspace.current().workspace_id
    with correlation.bound():
        return ledger().record(
            TransactionDraft(**draft),
            workspace_id=chosen,
            actor_id=owner_of(chosen),
            source="app",
            event_id=event_id,
        )


def amend(transaction_id: UUID, changes: dict[str, Any], version: int) -> Answer:
    """Change fields of an expense that was read at `version`.

    Raises:
        Refused, KafkaUnavailable: nothing was changed.
    """
    return _run("amend", transaction_id, version, changes)


def void(transaction_id: UUID, version: int, name: str) -> None:
    """Take an expense back; the next run says so and offers to restore it."""
    answer = _attempt(lambda: _run("void", transaction_id, version))
    if answer:
        say(answer, f"Voided {plain(name)}", Undo("restore", transaction_id, answer.version))


def restore(transaction_id: UUID, version: int, name: str) -> None:
    """Bring a voided expense back."""
    answer = _attempt(lambda: _run("restore", transaction_id, version))
    if answer:
        say(answer, f"Restored {plain(name)}", Undo("void", transaction_id, answer.version))


def say(answer: Answer, done: str, undo: Undo | None = None) -> None:
    """Keep a line for `notice` to show: that it was done, or what came in between."""
    if answer.decision == "stale":
        st.session_state[_NOTICE] = (
            "warning",
            "Somebody changed it in the meantime: look again, then repeat it.",
            None,
        )
    elif answer.decision == "pending":
        st.session_state[_NOTICE] = (
            "info",
            f"{done}. It is in the log; the list shows it as soon as live has read it.",
            undo,
        )
    else:
        st.session_state[_NOTICE] = ("success", done, undo)


def notice() -> None:
    """Draw the line of the last change, once asked for on each run, until it is dismissed or undone."""
    kept = st.session_state.get(_NOTICE)
    if kept is None:
        return
    level, text, undo = kept
    icon = {"success": ":material/check_circle:", "info": ":material/schedule:", "warning": ":material/warning:"}[level]
    with st.container(horizontal=True, vertical_alignment="center", key="notice"):
        getattr(st, level)(text, icon=icon, width="stretch")
        if undo is not None:
            st.button("Undo", icon=":material/undo:", on_click=_undo, args=(undo,))
        st.button("Dismiss", type="tertiary", icon=":material/close:", on_click=forget)


def forget() -> None:
    st.session_state.pop(_NOTICE, None)


def _undo(undo: Undo) -> None:
    answer = _attempt(lambda: _run(undo.command, undo.transaction_id, undo.version, undo.changes))
    if answer:
        say(answer, "Undone")


def _attempt(change: Callable[[], Answer]) -> Answer | None:
    try:
        return change()
    except Refused as error:
        text = "; ".join(plain(problem.message) for problem in error.problems)
        st.session_state[_NOTICE] = ("warning", text, None)
    except KafkaUnavailable:
        st.session_state[_NOTICE] = ("warning", NO_KAFKA, None)
    return None


def _run(
    command: Literal["void", "restore", "amend"],
    transaction_id: UUID,
    version: int,
    changes: dict[str, Any] | None = None,
) -> Answer:
    chosen = workspace.current().workspace_id
    given = {"expected_version": version, "actor_id": owner_of(chosen), "source": "app"}
    with correlation.bound():
        if command == "amend":
            return ledger().amend(chosen, transaction_id, changes or {}, **given)
        return getattr(ledger(), command)(chosen, transaction_id, **given)
