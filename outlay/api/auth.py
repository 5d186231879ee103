"""Accounts over REST: signing up, logging in and out, passwords, sessions, and tokens of programs."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from outlay import money
from outlay.accounts import login, new_password, personal_tokens, registration, sessions
from outlay.api import access
from outlay.api.account_schemas import (
    Confirmation,
    Credentials,
    LoggedIn,
    NewPersonalToken,
    NewUser,
    PasswordAsked,
    PasswordChange,
    PasswordReset,
    PersonalTokenMade,
    PersonalTokenOut,
    Refresh,
    Said,
    SessionOut,
    TokensOut,
)
from outlay.api.caller import ByOperator, From, Person, private
from outlay.api.contract import problems
from outlay.api.problems import Failed
from outlay.api.process import accounts
from outlay.db import session
from outlay.settings import settings

router = APIRouter(prefix="/auth", tags=["accounts"], dependencies=[Depends(private)])

_TOO_OFTEN = "too many attempts: `Retry-After` says when to come back"


@router.post(
    "/sign-up",
    response_model=Said,
    status_code=HTTPStatus.ACCEPTED,
    responses=problems(
        {
            401: "the invitation is not good",
            403: "this installation takes no sign-ups without invitation",
            429: _TOO_OFTEN,
        }
    ),
)
def sign_up(given: NewUser, origin: From, by_operator: ByOperator) -> Said:
    """Make an account, with a workspace of its own. The answer is the same for an address that has one already.

    Where `OUTLAY_SIGN_UP` is not `open`, only with an invitation or the installation's key."""
    money.currency(given.currency)
    about = registration.SignUp(given.name, given.currency, given.time_zone, given.locale)
    registration.sign_up(
        *(accounts(), about),
        email=given.email,
        password=given.password,
        origin=origin,
        by_operator=by_operator,
        invitation=given.invitation,
    )
    if accounts().post.works:
        return Said(detail="a code was sent to this address: POST /api/auth/confirm, then log in")
    return Said(detail="log in; if this address had an account before, its password is as it was")


@router.post(
    "/confirm",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems({401: "the code or the password is not good", 429: _TOO_OFTEN}),
)
def confirm(given: Confirmation, origin: From) -> None:
    """Show that the address of a new account is yours, with the code of the mail and the password you chose."""
    registration.confirm(accounts(), given.code, password=given.password, origin=origin)


@router.post(
    "/login",
    response_model=LoggedIn,
    responses=problems(
        {
            401: "address or password is wrong",
            403: "the address is not confirmed yet",
            429: _TOO_OFTEN,
        }
    ),
)
def log_in(given: Credentials, origin: From, request: Request, response: Response) -> LoggedIn:
    """Log a browser in: its session is a cookie that scripts cannot read."""
    cookie = login.log_in_browser(accounts(), email=given.email, password=given.password, origin=origin)
    response.set_cookie(
        access.session_cookie_name(),
        cookie.secret,
        expires=cookie.expires_at,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https" or settings().public_url.startswith("https:"),
    )
    return LoggedIn(session_id=cookie.session_id, expires_at=cookie.expires_at)


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
def log_out(asking: Person, origin: From, response: Response) -> None:
    """End the session of this request: a cookie's, or an access token's with its refresh tokens."""
    login.log_out(accounts(), asking.user_id, asking.session_id, origin)
    response.delete_cookie(access.session_cookie_name())


@router.post(
    "/tokens",
    response_model=TokensOut,
    responses=problems(
        {
            401: "address or password is wrong",
            403: "the address is not confirmed yet",
            429: _TOO_OFTEN,
        }
    ),
)
def log_in_program(given: Credentials, origin: From) -> sessions.Tokens:
    """Log a program of yours in: an access token for a quarter of an hour, and a refresh token for the next ones."""
    return login.log_in_program(accounts(), email=given.email, password=given.password, origin=origin)


@router.post(
    "/tokens/refresh", response_model=TokensOut, responses=problems({401: "the refresh token is not good, or no more"})
)
def refresh(given: Refresh, origin: From) -> sessions.Tokens:
    """Trade a refresh token for an access token and the next refresh token. A second use of one ends the session."""
    return sessions.refresh(accounts(), given.refresh_token, origin)


@router.post(
    "/password",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems({403: "the current password is wrong", 429: _TOO_OFTEN}),
)
def change_password(given: PasswordChange, asking: Person, origin: From) -> None:
    """Change your password. Your other sessions end, unless you keep them."""
    try:
        new_password.change(
            *(accounts(), asking.user_id, asking.session_id),
            current=given.current_password,
            new=given.password,
            keep_other_sessions=given.keep_other_sessions,
            origin=origin,
        )
    except new_password.NotAdmitted as error:  # the session is good: 401 would say that it is not
        wrong = [{"field": "current_password", "message": str(error)}]
        raise Failed(HTTPStatus.FORBIDDEN, str(error), errors=wrong) from None


@router.post(
    "/password/ask",
    response_model=Said,
    status_code=HTTPStatus.ACCEPTED,
    responses=problems({409: "this installation sends no mail", 429: _TOO_OFTEN}),
)
def ask_for_password(given: PasswordAsked, origin: From) -> Said:
    """Have a code mailed that a new password can be chosen with. The answer is the same without an account."""
    if not accounts().post.works:
        raise Failed(HTTPStatus.CONFLICT, "this installation sends no mail: ask whoever runs it")
    new_password.ask(accounts(), email=given.email, origin=origin)
    return Said(detail="if this address has an account, a code was sent to it: POST /api/auth/password/reset")


@router.post(
    "/password/reset",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems({401: "the code is not good, or no more", 429: _TOO_OFTEN}),
)
def reset_password(given: PasswordReset, origin: From) -> None:
    """Choose a new password with the code of the mail. Every session ends."""
    new_password.reset(accounts(), given.code, new=given.password, origin=origin)


@router.get("/sessions", response_model=list[SessionOut])
def list_sessions(asking: Person) -> list[SessionOut]:
    """Where you are logged in, the last used first."""
    with session("auth") as connection:
        found = sessions.live_sessions(connection, asking.user_id)
    return [SessionOut(**asdict(each), current=each.session_id == asking.session_id) for each in found]


@router.delete("/sessions", status_code=HTTPStatus.NO_CONTENT)
def end_other_sessions(asking: Person, origin: From) -> None:
    """End all your sessions but this one."""
    sessions.revoke_others(asking.user_id, by=asking.session_id, origin=origin)


@router.delete(
    "/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT, responses=problems({404: "you have no such session"})
)
def end_session(session_id: UUID, asking: Person, origin: From) -> None:
    """End one of your sessions."""
    if not sessions.revoke(asking.user_id, session_id, by=asking.session_id, origin=origin):
        raise Failed(HTTPStatus.NOT_FOUND, f"you have no open session {session_id}")


@router.get("/personal-tokens", response_model=list[PersonalTokenOut])
def list_personal_tokens(asking: Person) -> list[personal_tokens.PersonalToken]:
    """The tokens that you gave to programs and that are still good."""
    with session("auth") as connection:
        return personal_tokens.listed(connection, asking.user_id)


@router.post("/personal-tokens", response_model=PersonalTokenMade, status_code=HTTPStatus.CREATED)
def make_personal_token(given: NewPersonalToken, asking: Person, origin: From) -> PersonalTokenMade:
    """Make a token for a program. It is shown this once."""
    with session("auth") as connection:
        made, secret = personal_tokens.make(
            *(connection, asking.user_id),
            name=given.name,
            scopes=frozenset(given.scopes),
            days=given.days,
            session_id=asking.session_id,
            origin=origin,
        )
    return PersonalTokenMade(**asdict(made), token=secret)


@router.delete(
    "/personal-tokens/{token_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems({404: "you have no such token"}),
)
def end_personal_token(token_id: UUID, asking: Person, origin: From) -> None:
    """End one of your tokens."""
    with session("auth") as connection:
        ended = personal_tokens.end(connection, asking.user_id, token_id, session_id=asking.session_id, origin=origin)
    if not ended:
        raise Failed(HTTPStatus.NOT_FOUND, f"you have no token {token_id}")
