"""The description of the API (OpenAPI 3.1): what each operation takes and gives, its problems, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field

from outlay.api import caller, place
from outlay.api.examples import EXAMPLES
from outlay.api.limits import LARGEST_BODY


class Fault(BaseModel):
    field: str = Field(description="Where in the request, such as `expenses.3.amount`.")
    message: str
    rule: str | None = Field(None, description="Of the rules that every expense keeps, the one that it breaks.")


class Problem(BaseModel):
    """Why a request was refused, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = Field(None, description="Each value at fault.")
    correlation_id: str | None = Field(None, description="Of the request, for whoever looks into the log.")


Causes = Mapping[int, str]

_UNSAFE = {
    caller.caller: {403: "a browser's session changes things from this site's own pages alone"},
    place.place: {403: "your role in the workspace, or your token, does not let you change it"},
}
_RAISED: Mapping[Callable[..., Any], Causes] = {
    caller.caller: {401: "no credentials, or none that are good"},
    caller.person: {403: "this is about an account: log in as its owner"},
    caller.operator: {403: "this is for who holds the installation's key"},
    place.seen: {
        400: "no workspace is named",
        403: "your token may not read",
        404: "there is no such workspace, or you are no member of it",
    },
    place.of_people: {403: "this is about people: log in as one"},
    place.owned: {403: "this is for owners of the workspace"},
    place.seen_version: {
        400: "`If-Match` is no version",
        412: "somebody has changed it: it is at another version",
        428: "`If-Match` is missing: say which version you change",
    },
}
"""What each of the API's dependencies answers instead of the operation."""
_TAKES_SOMETHING = {422: "a value is not as it should be; `errors` names each"}
_TAKES_BODY = {
    400: "the body cannot be read",
    413: f"it is larger than {LARGEST_BODY:,} bytes",
    **_TAKES_SOMETHING,
}
_ANY = {503: "the database, Kafka or the lake does not answer, or the live view is behind: try again"}
_SAFE = frozenset({"GET", "HEAD"})


def _described(status: int, whys: list[str]) -> str:
    return f"{HTTPStatus(status).phrase}: {'; or '.join(whys)}"


def problems(causes: Causes) -> dict[int | str, dict[str, Any]]:
    """What an operation itself answers besides, for its decorator's `responses`: status to why."""
    return {status: {"description": _described(status, [why])} for status, why in causes.items()}


def behind(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answer to a change that live has yet to decide."""
    why = "It is in the log, and the live view has not decided it: send it again to learn what became of it."
    return {202: {"model": model, "description": why}}


NO_TRANSACTION = problems({404: "there is no such transaction"})
"""What an operation on one transaction answers."""


def install(api: FastAPI) -> None:
    """Let the application describe itself with `described`, once."""
    kept: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not kept:
            kept.update(described(api))
        return kept

    api.openapi = openapi


def described(api: FastAPI) -> dict[str, Any]:
    """The description of an application's operations."""
    found = get_openapi(
        title=api.title,
        version=api.version,
        summary=api.summary,
        description=api.description,
        routes=api.routes,
        tags=api.openapi_tags,
        servers=[{"url": "/api"}],
    )
    schemas = found["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs")
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    for route in iter_route_contexts(api.routes):
        if getattr(route.original_route, "include_in_schema", False) and hasattr(route.original_route, "dependant"):
            for method in route.methods:
                _complete(found["paths"][route.path_format][method.lower()], route, method)
    return found


def _complete(operation: dict[str, Any], route: Any, method: str) -> None:
    """Add to an operation's answers the problems that it may be answered with."""
    causes: dict[int, list[str]] = {}
    calls = set(_calls(route.original_route.dependant))
    takes = _TAKES_BODY if "requestBody" in operation else _TAKES_SOMETHING if "parameters" in operation else {}
    raised = [*(_RAISED.get(call, {}) for call in calls), takes, _ANY]
    if method not in _SAFE:
        raised += [_UNSAFE.get(call, {}) for call in calls]
    for each in raised:
        for status, why in each.items():
            causes.setdefault(status, []).append(why)
    if "security" in operation and caller.caller not in calls:
        operation["security"].insert(0, {})  # it may come without
    answers = operation["responses"]
    answers.pop("422", None)
    for status, whys in sorted(causes.items()):
        own = answers.get(str(status), {}).get("description")
        answers[str(status)] = {"description": "; ".join([*([own] if own else []), _described(status, sorted(whys))])}
    for status, answer in answers.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            answer["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"] = dict(sorted(answers.items()))


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)
