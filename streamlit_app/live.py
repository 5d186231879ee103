"""Pages that show what others record, within a second."""

from __future__ import annotations

import streamlit as st

from outlay.ledger.queries import expenses
from streamlit_app import workspace

EVERY_SECONDS = 1
_BUSY = "_dialog_open"


@st.fragment(run_every=EVERY_SECONDS)
def follow(seen: tuple) -> None:
    """Run the page again once the workspace's log has moved past `seen`; an open dialog is left in peace."""
    if st.session_state.get(_BUSY):
        return
    with workspace.reading() as connection:
        moved = expenses.last_change(connection) != seen
    if moved:
        st.rerun()


def busy(is_busy: bool) -> None:
    """Say that a dialog is open, or closed again."""
    st.session_state[_BUSY] = is_busy
