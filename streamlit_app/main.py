"""The pages and what stands on all of them: the menu and the choice of workspace."""

from pathlib import Path

import streamlit as st

from streamlit_app import workspace

PAGES = [
    st.Page(
        "app_pages/dashboard.py", title="Dashboard", icon=":material/insights:", url_path="dashboard", default=True
    ),
    st.Page("app_pages/expenses.py", title="Expenses", icon=":material/receipt_long:", url_path="expenses"),
    st.Page("app_pages/add_expense.py", title="Add expense", icon=":material/add_circle:", url_path="add"),
]

HERE = Path(__file__).parent

page = st.navigation(PAGES)
st.set_page_config(page_title=f"{page.title} · Outlay", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(str(HERE / "logo.svg"), icon_image=str(HERE / "icon.svg"), size="large")
workspace.choose()
page.run()
