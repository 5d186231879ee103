"""A workspace's tree of categories: walked, and asked what stands where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Category:
    category_id: str
    parent_id: str | None
    name: str
    version: int = 0
    """Of what the workspace made of it; 0 where it is as all workspaces have it."""
    entity_id: UUID | None = None
    """Of the workspace's events about it; None where there are none."""
    archived_itself: bool = False
    """It was taken out of use, and not only with one above it."""
    merged_into: str | None = None
    """The category that has taken its place."""
    kind: str | None = None
    """spending, income or transfer, of those that all workspaces have; others take it from above."""


class Categories:
    """The tree, in the order in which to offer them: each one followed by those below it.

    One whose parent is not there hangs at the top, and so does the first by its id of those that are a circle.
    """

    def __init__(self, categories: Iterable[Category]):
        self._by_id = {category.category_id: category for category in categories}
        self._below: dict[str | None, list[str]] = {}
        for category in self._by_id.values():
            self._below.setdefault(self._parent_id(category), []).append(category.category_id)
        self._break_circles()
        self._parents = {child: parent for parent, children in self._below.items() for child in children}

    def __iter__(self) -> Iterator[str]:
        return self._walk(None)

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, category_id: object) -> bool:
        return category_id in self._by_id

    def __getitem__(self, category_id: str) -> Category:
        return self._by_id[category_id]

    def offered(self) -> list[str]:
        """Those that new expenses may have."""
        return [category_id for category_id in self if not self.is_archived(category_id)]

    def with_below(self, category_id: str) -> list[str]:
        """The category and everything below it."""
        return [category_id, *self._walk(category_id)]

    def children(self, category_id: str | None) -> list[str]:
        """Those directly below it; of None, those at the top."""
        return list(self._below.get(category_id, ()))

    def upwards(self, category_id: str | None) -> list[str]:
        """The category and those above it, up to the top; none for what the tree does not have."""
        way = []
        at = category_id if category_id in self._by_id else None
        while at is not None:
            way.append(at)
            at = self._parents[at]
        return way

    def parent(self, category_id: str) -> str | None:
        """The category that it hangs below; None at the top."""
        return self._parents[category_id]

    def height(self, category_id: str) -> int:
        """Levels from it down to the lowest below it, its own included."""
        own = len(self.upwards(category_id))
        return max(len(self.upwards(each)) for each in self.with_below(category_id)) - own + 1

    def path(self, category_id: str | None) -> str:
        """``Food and drink › Groceries``; the id itself where the tree does not have it, empty for None."""
        names = [self._by_id[at].name for at in reversed(self.upwards(category_id))]
        return " › ".join(names) or category_id or ""

    def kind(self, category_id: str) -> str:
        """``spending``, ``income`` or ``transfer``, its own or from above."""
        return next((kind for at in self.upwards(category_id) if (kind := self._by_id[at].kind)), "spending")

    def is_archived(self, category_id: str) -> bool:
        """Whether it, or one above it, was archived."""
        return any(self._by_id[at].archived_itself for at in self.upwards(category_id))

    def standing(self, category_id: str | None) -> str | None:
        """Where what belongs to a category goes today: it is in use, or what it was merged into, or what is above it.

        None where no such category is in use. What the tree does not have is left as it is.
        """
        seen: set[str] = set()
        while category_id in self._by_id and self.is_archived(category_id):
            if category_id in seen:
                return None
            seen.add(category_id)
            away = next(at for at in self.upwards(category_id) if self._by_id[at].archived_itself)
            into = self._by_id[away].merged_into
            category_id = into if into in self._by_id else self._parents[away]
        return category_id

    def _parent_id(self, category: Category) -> str | None:
        return category.parent_id if category.parent_id in self._by_id else None

    def _break_circles(self) -> None:
        reached = set(self._walk(None))
        for category_id in self._by_id:
            if category_id not in reached:
                first = min(self._circle_above(category_id))
                self._below[self._parent_id(self._by_id[first])].remove(first)
                self._below.setdefault(None, []).append(first)
                reached.update(self.with_below(first))

    def _circle_above(self, category_id: str) -> list[str]:
        way: list[str] = []
        while category_id not in way:
            way.append(category_id)
            category_id = self._parent_id(self._by_id[category_id]) or ""
        return way[way.index(category_id) :]

    def _walk(self, parent: str | None) -> Iterator[str]:
        waiting = self.children(parent)[::-1]
        while waiting:
            category_id = waiting.pop()
            yield category_id
            waiting += self._below.get(category_id, ())[::-1]
