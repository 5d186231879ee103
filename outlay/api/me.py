"""One's own profile over REST."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from outlay.accounts import profile
from outlay.api.account_schemas import ProfileChanges, ProfileOut
from outlay.api.caller import From, Person, private
from outlay.api.process import accounts

router = APIRouter(prefix="/me", tags=["accounts"], dependencies=[Depends(private)])


@router.get("", response_model=ProfileOut)
def read(asking: Person) -> profile.Profile:
    """Who you are, as live has it."""
    return profile.read(accounts(), asking.user_id)


@router.patch("", response_model=ProfileOut)
def change(given: ProfileChanges, asking: Person, origin: From) -> profile.Profile:
    """Change your name, locale or time zone. Fields left out stay as they are; null empties the locale."""
    changes = given.model_dump(exclude_unset=True)
    return profile.change(accounts(), asking.user_id, changes, session_id=asking.session_id, origin=origin)
