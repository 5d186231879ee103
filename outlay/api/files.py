"""Files over REST: how they are sent, and how one that somebody else made is given out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import structlog
from fastapi import File, Response, UploadFile

from outlay import uploads
from outlay.accounts import pictures
from outlay.api.problems import Failed
from outlay.settings import settings

Upload = Annotated[UploadFile, File(description="Up to 8 MiB. What it is, its bytes say.")]
PORTRAIT = uploads.PORTRAIT

_log = structlog.get_logger("outlay.api")
_HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}
"""A browser takes it for nothing else, runs nothing of it, and keeps nothing of it."""


def told(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """A route's answer that is a file, as the API's description has it."""
    return {200: {"content": {media_type: {} for media_type in media_types}, "description": description}}


def given_out(read: Callable[[], bytes], media_type: str, name: str | None = None) -> Response:
    """What `read` finds in the lake: a picture to be shown, anything else to be saved.

    Raises:
        Failed: the lake has lost it, or holds another content. `read` raises the rest.
    """
    try:
        content = read()
    except (FileNotFoundError, uploads.Damaged) as error:
        _log.error("a file that an event names is not in the lake", error=str(error))
        message = "the lake has lost this file: who runs this installation can restore it from a backup"
        raise Failed(HTTPStatus.INTERNAL_SERVER_ERROR, message) from error
    endings = uploads.ENDINGS.get(media_type, (".bin",))
    if media_type not in uploads.ENDINGS:  # whoever writes into the log may have called it anything
        media_type = "application/octet-stream"
    how = "inline" if media_type.startswith("image/") else "attachment"
    if name:
        saved_as = name if name.lower().endswith(endings) else name + endings[0]
        how += f"; filename*=UTF-8''{quote(saved_as, safe='')}"
    return Response(content, media_type=media_type, headers=_HARMLESS | {"Content-Disposition": how})


def picture(user_id: UUID, digest: str | None) -> Response:
    """The picture that somebody's profile names.

    Raises:
        Failed: it names none, or see `given_out`.
    """
    if digest is None:
        raise Failed(HTTPStatus.NOT_FOUND, "there is no picture")
    return given_out(partial(pictures.content, settings().lake, user_id, digest), PORTRAIT)
