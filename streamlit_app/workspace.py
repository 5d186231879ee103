"""The workspace that the pages show: chosen in the sidebar, kept in the address."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager

import psycopg
import streamlit as st

from outlay.db import session
from outlay.ledger.workspaces import Workspace, all_workspaces

_KEY = "workspace"


def choose() -> None:
    """Draw the choice; ends the script with what to do when there is no workspace yet."""
    known = all_workspaces()
    if not known:
        st.title("Welcome to Outlay")
        st.markdown(
            "There is no workspace yet. Bring one in from the command line:\n\n"
            "- `outlay simulate` makes two households with a year of spending to look around in\n"
            "- `outlay import FILE --currency EUR` reads a CSV file of your own"
        )
        if st.button("Look again", icon=":material/refresh:"):
            st.rerun()
        st.stop()
    times = Counter(workspace.name for workspace in known)
    labels = {
        w.name if w.name and times[w.name] == 1 else f"{w.name or 'Unnamed'} ({str(w.workspace_id)[:8]})": w
        for w in known
    }
    chosen = st.sidebar.selectbox("Workspace", list(labels), key=_KEY, bind="query-params")
    st.session_state["_workspace"] = labels[chosen]


def current() -> Workspace:
    """The workspace chosen, of this browser's session."""
    return st.session_state["_workspace"]


def reading() -> AbstractContextManager[psycopg.Connection]:
    """A database session that sees the chosen workspace and no other."""
    return session("operator", workspace_id=current().workspace_id)
