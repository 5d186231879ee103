"""One process for people and programs: the pages at ``/``, the REST API at ``/api``.

uvicorn streamlit_app.asgi:app --host 127.0.0.1 --port 8600
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount

from outlay import logs
from outlay.api import app as api
from outlay.api import process
from outlay.api.access import WithoutKey
from outlay.api.door import Door
from outlay.settings import settings
from streamlit_app import charts  # noqa: F401  (loaded before the first visitor waits for it)

logs.configure(settings().log_level)
logs.adopt("uvicorn", "uvicorn.error", redact=WithoutKey())


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    process.accounts()  # what a process before left in the outbox is appended
    yield
    process.close()


app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=lifespan,
    routes=[Mount("/api", app=api.create())],
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=list(settings().app_hosts), www_redirect=False),
        Middleware(Door),
    ],
)
