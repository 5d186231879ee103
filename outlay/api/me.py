"""One's own profile over REST."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from outlay.accounts import pictures, profile
from outlay.api import files
from outlay.api.account_schemas import ProfileChanges, ProfileOut
from outlay.api.caller import From, Person, private
from outlay.api.contract import problems
from outlay.api.process import accounts

router = APIRouter(prefix="/me", tags=["accounts"], dependencies=[Depends(private)])


@router.get("", response_model=ProfileOut)
def read_profile(asking: Person) -> profile.Profile:
    """Who you are, as live has it."""
    return profile.read(accounts(), asking.user_id)


@router.patch("", response_model=ProfileOut)
def change_profile(given: ProfileChanges, asking: Person, origin: From) -> profile.Profile:
    """Change your name, locale or time zone. Fields left out stay as they are; null empties the locale."""
    changes = given.model_dump(exclude_unset=True)
    return profile.change(accounts(), asking.user_id, changes, session_id=asking.session_id, origin=origin)


@router.put("/picture", response_model=ProfileOut)
def set_picture(file: files.Upload, asking: Person, origin: From) -> profile.Profile:
    """Show yourself by a JPEG, PNG, WebP or GIF. Its middle is kept, small, without what a camera wrote in it."""
    given = (accounts(), asking.user_id, file.file.read())
    return pictures.put(*given, session_id=asking.session_id, origin=origin)


@router.get(
    "/picture",
    response_class=Response,
    responses=files.told("Your picture.", files.PORTRAIT) | problems({404: "you have none"}),
)
def read_own_picture(asking: Person) -> Response:
    """Your picture; who is in a workspace with you reads it under `/members`."""
    return files.picture(asking.user_id, profile.read(accounts(), asking.user_id).picture)


@router.delete("/picture", response_model=ProfileOut)
def remove_picture(asking: Person, origin: From) -> profile.Profile:
    """Be shown by none."""
    return pictures.remove(accounts(), asking.user_id, session_id=asking.session_id, origin=origin)
