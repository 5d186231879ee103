"""Every query stands once in a file that says whose it is, and lineage names exactly the gold tables the pages read."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import sqlglot
import yaml
from sqlglot import exp

from outlay.ledger import queries
from outlay.ledger.queries import expenses
from outlay.ledger.queries.category_tree import Categories, Category
from outlay.ledger.queries.dashboard import Month, months_from, year_to
from outlay.settings import PROJECT

ALL = queries.every()
_NAMED = re.compile(r"%\((\w+)\)s")


def parsed(query: queries.Query) -> list[exp.Expression]:
    return sqlglot.parse(_NAMED.sub(r":\1", query.sql), read="postgres")


def tables(query: queries.Query, schema: str) -> set[str]:
    return {table.name for tree in parsed(query) for table in tree.find_all(exp.Table) if table.db == schema}


@pytest.mark.parametrize("query", ALL, ids=lambda query: query.name)
def test_a_query_is_one_select_that_reads_its_own_workspace(query):
    (tree,) = parsed(query)
    assert isinstance(tree, exp.Select)
    assert query.page in {"expenses", "dashboard", "categories", "every"}
    assert "live.current_workspace()" in query.sql


def test_every_file_of_queries_is_named_and_declares_its_parameters():
    files = {path.stem for path in Path(queries.__file__).parent.glob("*.sql")}
    assert {query.name for query in ALL} == files
    assert queries.named("expenses_by_id").parameters == {"transaction_ids"}
    assert queries.named("accounts").parameters == set()


def exposures() -> dict[str, set[str]]:
    """Exposure -> the models that it says it reads."""
    text = (PROJECT / "dbt_project" / "models" / "exposures.yml").read_text()
    return {
        found["name"]: {re.search(r"ref\('(\w+)'\)", on)[1] for on in found["depends_on"] if on.startswith("ref(")}
        for found in yaml.safe_load(text)["exposures"]
    }


@pytest.mark.parametrize("page", ["expenses", "dashboard"])
def test_a_pages_exposure_names_exactly_the_gold_models_that_its_queries_read(page):
    read = set().union(*(tables(query, "gold") for query in ALL if query.page == page)) - {"progress"}
    assert read == exposures()[page]


def test_what_all_pages_share_reads_live_alone():
    assert {query.name for query in ALL if query.page == "every" and tables(query, "gold")} == set()


def test_a_cursor_is_for_the_order_it_was_made_in():
    cursor = expenses._write(_expense(), "newest")
    assert expenses._read(cursor, "newest")["after_amount"] == Decimal("12.5000")
    with pytest.raises(expenses.BadCursor, match="'newest', not 'oldest'"):
        expenses._read(cursor, "oldest")
    for wrong in ("", "xx", "e30", cursor[:-6]):
        with pytest.raises(expenses.BadCursor):
            expenses._read(wrong, "newest")


def test_words_searched_for_are_taken_literally():
    assert expenses._patterns("50% off_sale \\") == ["%50\\%%", "%off\\_sale%", "%\\\\%"]
    assert expenses._patterns("   ") is None


def test_the_tree_of_categories_is_walked_parents_first_and_ends_at_a_circle():
    tree = Categories(
        [
            Category("food", None, "Food"),
            Category("home", None, "Home"),
            Category("food.out", "food", "Eating out"),
            Category("own", "food.out", "Canteen"),
            Category("lost", "nowhere", "Lost"),
        ]
    )
    assert list(tree) == ["food", "food.out", "own", "home", "lost"]
    assert tree.with_below("food") == ["food", "food.out", "own"]
    assert tree.path("own") == "Food › Eating out › Canteen"
    assert tree.path("gone") == "gone"
    circle = Categories([Category("a", "b", "A"), Category("b", "a", "B")])
    assert list(circle) == ["a", "b"]
    assert (circle.path("a"), circle.path("b")) == ("A", "A › B")
    branch = Categories([Category("x", "a", "X"), Category("a", "b", "A"), Category("b", "a", "B")])
    assert list(branch) == ["a", "x", "b"], "what hangs below a circle stays there"
    deep = Categories([Category(str(n), str(n - 1), str(n)) for n in range(5_000)])
    assert list(deep) == [str(n) for n in range(5_000)]
    assert len(deep.path("4999").split(" › ")) == 5_000


def test_what_belongs_to_a_category_out_of_use_goes_where_it_was_merged_or_above_it():
    def archived(category_id: str, parent_id: str | None, into: str | None = None) -> Category:
        return Category(category_id, parent_id, category_id, archived_itself=True, merged_into=into)

    tree = Categories(
        [
            Category("food", None, "Food"),
            archived("food.out", "food"),
            Category("canteen", "food.out", "Canteen"),
            archived("cake", "food", "canteen"),
            archived("top", None),
            archived("one", None, "other"),
            archived("other", None, "one"),
            archived("tea", "food", "gone"),
        ]
    )
    assert tree.offered() == ["food"]
    stand = {each: tree.standing(each) for each in (*tree, "unknown", None)}
    assert stand == {
        **{"food": "food", "food.out": "food", "canteen": "food", "cake": "food", "top": None},
        **{"one": None, "other": None, "tea": "food", "unknown": "unknown", None: None},
    }


def test_months_are_counted_across_years_and_a_year_has_twelve():
    assert months_from(date(2026, 1, 1), -1) == date(2025, 12, 1)
    assert months_from(date(2026, 12, 1), 1) == date(2027, 1, 1)
    year = year_to(date(2026, 2, 1), [Month(date(2026, 1, 1), Decimal(5))])
    assert [entry.month for entry in year][0::11] == [date(2025, 3, 1), date(2026, 2, 1)]
    assert [entry.spent for entry in year][-2:] == [Decimal(5), Decimal(0)]


def _expense() -> expenses.Expense:
    fields = dict.fromkeys(expenses.Expense.__dataclass_fields__)
    return expenses.Expense(
        **fields
        | {
            "occurred_on": date(2026, 3, 14),
            "amount": Decimal("12.5000"),
            "name": "Kiosk",
            "transaction_id": UUID(int=7),
        }
    )
