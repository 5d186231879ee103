"""A workspace's tree of categories over REST: its own, and what it makes of those that all have."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from ingestion.events import derived_id, new_id
from outlay.api.contract import problems
from outlay.api.expenses import answered
from outlay.api.place import Change, CurrentWorkspace, IdempotencyKey, Place
from outlay.api.problems import Failed, decided
from outlay.api.schemas import CategoryChanges, CategoryOut, MergedInto, MovedOut, NewCategory, UsesOut
from outlay.ledger import categories, merging
from outlay.ledger.commands import Answer, NotFound
from outlay.ledger.merging import Moved
from outlay.ledger.queries import choices
from outlay.ledger.queries.category_tree import Categories

router = APIRouter(prefix="/categories", tags=["categories"])

_NO_CATEGORY = problems({404: "there is no such category"})

CategoryId = Annotated[str, Path(max_length=100)]


@router.get("", response_model=list[CategoryOut])
def list_categories(workspace: CurrentWorkspace) -> list[CategoryOut]:
    """The tree of categories, parents before children: every workspace's, as this one changed them, and its own."""
    tree = _tree(workspace)
    return [CategoryOut.of(tree, category_id) for category_id in tree]


@router.post("", response_model=CategoryOut, status_code=HTTPStatus.CREATED)
def add_category(
    given: NewCategory, workspace: CurrentWorkspace, response: Response, idempotency_key: IdempotencyKey = None
) -> CategoryOut:
    """Make a category of the workspace's own. With an `Idempotency-Key`, a retry is the same one."""
    key = workspace.event_id(idempotency_key)
    category_id = derived_id(key, "category") if key else new_id()
    tree, state = _tree(workspace), given.model_dump()
    if str(category_id) not in tree:
        categories.check(tree, state)
    by = {"by": workspace.actor_id, "source": "api"}
    answer = categories.add(workspace.ledger(), workspace.workspace_id, category_id, state, **by)
    decided(answer)
    response.headers["Location"] = f"/api/categories/{category_id}"
    return _one(workspace, str(category_id), response)


@router.get("/{category_id}", response_model=CategoryOut, responses=_NO_CATEGORY)
def read_category(category_id: CategoryId, workspace: CurrentWorkspace, response: Response) -> CategoryOut:
    """One category; its version is the ETag."""
    return _one(workspace, category_id, response)


@router.get("/{category_id}/uses", response_model=UsesOut, responses=_NO_CATEGORY)
def read_uses(category_id: CategoryId, workspace: CurrentWorkspace) -> categories.Uses:
    """What has it or a category below it: what archiving or merging it would touch."""
    with workspace.session() as connection:
        tree = _known(choices.categories(connection), category_id)
        return categories.uses(connection, tree, category_id)


@router.patch("/{category_id}", response_model=CategoryOut, responses=_NO_CATEGORY)
def amend_category(
    category_id: CategoryId,
    given: CategoryChanges,
    workspace: CurrentWorkspace,
    change: Change,
    response: Response,
) -> CategoryOut:
    """Rename a category, or move it in the tree with all below it."""
    changes, tree = given.model_dump(exclude_unset=True), _known(_tree(workspace), category_id)
    answer = categories.amend(*_to(workspace, tree, category_id), changes, **change.of(workspace, changes))
    return _changed(answer, workspace, category_id, response)


@router.post("/{category_id}/archive", response_model=CategoryOut, responses=_NO_CATEGORY)
def archive_category(
    category_id: CategoryId, workspace: CurrentWorkspace, change: Change, response: Response
) -> CategoryOut:
    """Take a category out of use with all below it: what was recorded keeps it, and nothing more is recorded in it.

    What would be put in it unasked goes to the category above it.
    """
    tree = _known(_tree(workspace), category_id)
    answer = categories.archive(*_to(workspace, tree, category_id), **change.of(workspace))
    return _changed(answer, workspace, category_id, response)


@router.post(
    "/{category_id}/merge",
    response_model=MovedOut,
    responses=problems({404: "there is no such category", 409: "it was merged into another one meanwhile"}),
)
def merge_category(
    category_id: CategoryId, given: MergedInto, workspace: CurrentWorkspace, change: Change, response: Response
) -> dict[str, Any]:
    """Let another category take its place: its expenses and what hangs below it move there, and it is archived.

    What would be put in it unasked goes there from now on. What broke off goes on when it is sent again, under the same
    `Idempotency-Key` or with the newer version; `restore` with `with_expenses` takes it back.
    """
    tree = _known(_tree(workspace), category_id)
    to = _to(workspace, tree, category_id)
    answer = answered(merging.merge(*to, given.into, **change.of(workspace, {"into": given.into})), response)
    decided(answer)
    if not merging.is_merged(_tree(workspace), category_id, given.into, answer):
        raise Failed(HTTPStatus.CONFLICT, f"it is not merged into {given.into}, or no more: read it again")
    by = {"actor_id": workspace.actor_id, "source": "api"}
    moved = merging.move(
        to[0], workspace.session, tree, workspace.workspace_id, category_id, given.into, answer.event_id, **by
    )
    return _moved(moved, workspace, category_id, response)


@router.post("/{category_id}/restore", response_model=MovedOut, responses=_NO_CATEGORY)
def restore_category(
    category_id: CategoryId,
    workspace: CurrentWorkspace,
    change: Change,
    response: Response,
    with_expenses: Annotated[
        bool, Query(description="Also what moved when it was merged, except what was changed since.")
    ] = False,
) -> dict[str, Any]:
    """Bring an archived category back into use. With `with_expenses`, one that is in use is given what moved, too."""
    tree = _known(_tree(workspace), category_id)
    if tree[category_id].archived_itself or not with_expenses or tree[category_id].version != change.version:
        answer = categories.restore(*_to(workspace, tree, category_id), **change.of(workspace))
        decided(answered(answer, response))
        tree = _tree(workspace)
    moved = Moved()
    if with_expenses and not tree[category_id].archived_itself:
        by = {"actor_id": workspace.actor_id, "source": "api"}
        to = (workspace.ledger(), workspace.session, tree, workspace.workspace_id, category_id)
        moved = merging.move_back(*to, **by)
    return _moved(moved, workspace, category_id, response)


def _to(workspace: Place, tree: Categories, category_id: str) -> tuple[Any, ...]:
    return workspace.ledger(), tree, workspace.workspace_id, category_id


def _tree(workspace: Place) -> Categories:
    with workspace.session() as connection:
        return choices.categories(connection)


def _known(tree: Categories, category_id: str) -> Categories:
    if category_id not in tree:
        raise NotFound(category_id, entity="category")
    return tree


def _changed(answer: Answer, workspace: Place, category_id: str, response: Response) -> CategoryOut:
    decided(answered(answer, response))
    return _one(workspace, category_id, response)


def _moved(moved: Moved, workspace: Place, category_id: str, response: Response) -> dict[str, Any]:
    return {"category": _one(workspace, category_id, response), **vars(moved)}


def _one(workspace: Place, category_id: str, response: Response) -> CategoryOut:
    found = CategoryOut.of(_known(_tree(workspace), category_id), category_id)
    response.headers["ETag"] = f'"{found.version}"'
    return found
