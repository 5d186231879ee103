"""Pictures of people: small ones, kept in the lake and named by their profiles."""

from __future__ import annotations

from uuid import UUID

from outlay import uploads
from outlay.accounts import profile
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts


def put(accounts: Accounts, user_id: UUID, content: bytes, *, session_id: UUID, origin: Origin) -> profile.Profile:
    """Show somebody by the middle of a picture.

    Raises:
        Refused: it is no picture, or too large. LakeUnavailable: it cannot be kept.
        ProfileBehind, KafkaUnavailable: see `profile.change`.
    """
    small = uploads.portrait(content)
    uploads.keep(accounts.settings.lake, _folder(user_id), small)  # before the event, which names what is there
    given = {"picture": uploads.sha256(small)}
    return profile.change(accounts, user_id, given, session_id=session_id, origin=origin)


def remove(accounts: Accounts, user_id: UUID, *, session_id: UUID, origin: Origin) -> profile.Profile:
    """Show them by none; nothing changes where there is none. Raises what `profile.change` raises."""
    current = profile.read(accounts, user_id)
    if current.picture is None:
        return current
    return profile.change(accounts, user_id, {"picture": None}, session_id=session_id, origin=origin)


def content(lake: str, user_id: UUID, digest: str) -> bytes:
    """The picture that a profile names, of the media type `uploads.PORTRAIT`. Raises what `uploads.kept` raises."""
    return uploads.kept(lake, _folder(user_id), digest)


def _folder(user_id: UUID) -> str:
    return f"pictures/{user_id}"
