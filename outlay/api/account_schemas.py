"""What the API takes and gives of accounts. Lengths are bounded before anything is computed of a text."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, computed_field

from outlay.accounts.personal_tokens import Scope
from outlay.accounts.sessions import Kind
from outlay.api.schemas import Currency, Name, Strict


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads every file of the zones' database


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError(f"expected a time zone such as Europe/Berlin, got {name!r}")
    return name


def _with_read(scopes: list[Scope]) -> list[Scope]:
    if sorted(scopes) not in (["read"], ["read", "write"]):
        raise ValueError('expected ["read"] or ["read", "write"]')
    return scopes


Email = Annotated[str, Field(min_length=3, max_length=254)]
Password = Annotated[str, Field(max_length=1_000, json_schema_extra={"format": "password"})]
Secret = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Locale = Annotated[str, Field(max_length=35, pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="BCP 47.")]


class Said(BaseModel):
    detail: str


class Credentials(Strict):
    email: Email
    password: Password


class NewUser(Credentials):
    """Whom to make an account for; currency and time zone are their first workspace's too."""

    name: Name
    currency: Currency = "EUR"
    time_zone: Zone = "UTC"
    locale: Locale | None = None
    invitation: Secret | None = Field(None, description="The code of one, where not everybody may make an account.")


class Code(Strict):
    code: Secret


class Confirmation(Code):
    """The code of the mail, and the password of the sign-up that it is for: somebody else may have tried it too."""

    password: Password


class LoggedIn(BaseModel):
    session_id: UUID
    expires_at: datetime


class TokensOut(BaseModel):
    """What a program holds. `expires_in`: seconds that the access token is good for."""

    model_config = ConfigDict(from_attributes=True)

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str
    refresh_token: str
    expires_in: int
    session_id: UUID


class Refresh(Strict):
    refresh_token: Secret


class PasswordChange(Strict):
    current_password: Password
    password: Password
    keep_other_sessions: StrictBool = False


class PasswordAsked(Strict):
    email: Email


class PasswordReset(Code):
    password: Password


class SessionOut(BaseModel):
    session_id: UUID
    kind: Kind
    address: str | None
    client: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    current: bool = Field(description="Whether it is the session of this request.")


class NewPersonalToken(Strict):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=2), AfterValidator(_with_read)] = Field(["read"])
    days: Annotated[StrictInt, Field(ge=1, le=366, description="For how long it is good.")] = 90


class PersonalTokenOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    token_id: UUID
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    seen_at: datetime | None


class PersonalTokenMade(PersonalTokenOut):
    token: str = Field(description="Shown this once.")


class ProfileOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    version: int
    email: str
    name: str | None
    locale: str | None
    time_zone: str | None
    picture: str | None = Field(exclude=True)

    @computed_field(description="Path of your picture.")
    @property
    def picture_url(self) -> str | None:
        return None if self.picture is None else "/api/me/picture"


class ProfileChanges(Strict):
    """What to change of a profile. Fields left out stay as they are."""

    name: Name = None
    locale: Locale | None = None
    time_zone: Zone = None
