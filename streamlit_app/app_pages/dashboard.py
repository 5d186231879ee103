"""Dashboard: a month's spending from gold, beside the months before it."""

from datetime import date
from decimal import Decimal
from itertools import accumulate

import streamlit as st

from outlay import money
from outlay.ledger import clock
from outlay.ledger.queries import NotBuilt, dashboard
from outlay.settings import NotConfigured, settings
from streamlit_app import charts, workspace
from streamlit_app.text import month as month_name
from streamlit_app.text import plain

CATEGORIES_SHOWN, MERCHANTS_SHOWN = 9, 9
CURRENCY = workspace.current().currency
PALETTE = charts.DARK if st.context.theme.type == "dark" else charts.LIGHT


def show(amount: Decimal) -> str:
    return money.show(money.round_to_minor(amount, CURRENCY), CURRENCY)


def difference(amount: Decimal) -> str:
    """With its sign, as `st.metric` reads it."""
    return ("+" if amount > 0 else "") + show(amount).replace("\u2212", "-")


def share(now: Decimal, before: Decimal) -> str:
    """The change in percent; a dash where there was nothing to compare with."""
    return f"{(now - before) / abs(before) * 100:+.1f} %".replace("-", "\u2212") if before else "–"


def where_to_build() -> str:
    try:
        return f"Run `outlay build`, or materialise everything in [Dagster]({settings().dagster_url})."
    except NotConfigured:
        return "Run `outlay build`, or materialise everything in Dagster."


@st.fragment(run_every=2)
def as_of_line(drawn: dashboard.AsOf) -> None:
    """How old the figures are; a build that ended in the meantime draws the page anew."""
    with workspace.reading() as connection:
        now = dashboard.as_of(connection)
    if now.built_at != drawn.built_at:
        st.rerun()
    at = now.built_at.astimezone(clock.zone(workspace.current()))
    if not now.newer:
        behind = "nothing is newer"
    else:
        count = f"{now.newer:,}" + ("" if now.is_all else " or more")
        behind = f"{count} newer {'expense is' if now.newer == 1 else 'expenses are'} in the list and not in here yet"
    st.caption(f":material/schedule: As of {at.day} {at:%B %Y, %H:%M} · {behind}")


def draw_figures(months: list[dashboard.Month], month: date, currencies: list[dashboard.CurrencySpend]) -> None:
    known = {entry.month: entry for entry in months}
    now = known[month]
    before, year_ago = dashboard.months_from(month, -1), dashboard.months_from(month, -12)
    spent, last, same = st.columns(3)
    spent.metric(
        f"Spent in {month_name(month)}",
        show(now.spent),
        f"{sum(row.purchases for row in currencies):,} purchases",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
    )
    for slot, other in ((last, before), (same, year_ago)):
        then = known.get(other)
        slot.metric(
            f"Against {month_name(other)}",
            share(now.spent, then.spent) if then else "–",
            difference(now.spent - then.spent) if then else None,
            delta_color="inverse",
            delta_description=f"than {show(then.spent)}" if then else "nothing recorded then",
            border=True,
            height="stretch",
        )
    left_out = ", ".join(
        f"{plain(money.show(row.not_converted, row.currency))} ({row.purchases_not_converted:,})"
        for row in currencies
        if row.purchases_not_converted
    )
    if left_out:
        st.warning(
            f"Not converted to {CURRENCY} and not in these figures, for want of a rate: {left_out}",
            icon=":material/currency_exchange:",
        )


def by_category(rows: list[dashboard.CategorySpend], *, roots: bool) -> list[charts.Bar]:
    """The largest categories, or the largest branches of the tree, and what the rest comes to."""
    totals: dict[str, list] = {}
    for row in rows:
        key, name = (row.root_id, row.root) if roots else (row.category_id, row.name)
        entry = totals.setdefault(key, [name, Decimal(0), Decimal(0)])
        entry[1] += row.spent
        entry[2] += row.spent_before
    ordered = sorted((entry for entry in totals.values() if entry[1]), key=lambda entry: -entry[1])
    shown, rest = ordered[:CATEGORIES_SHOWN], ordered[CATEGORIES_SHOWN:]
    if rest:
        shown.append([f"{len(rest)} more", sum(entry[1] for entry in rest), sum(entry[2] for entry in rest)])
    return [charts.Bar(name, now, show(now), before, show(before)) for name, now, before in shown]


def running_total(days: list[dashboard.DaySpend], series: str, until: date) -> list[charts.Point]:
    totals = accumulate(day.spent for day in days)
    return [
        charts.Point(series, day.day.day, total, show(total))
        for day, total in zip(days, totals, strict=True)
        if day.day <= until
    ]


def draw_month(month: date, months: list[dashboard.Month]) -> None:
    before = dashboard.months_from(month, -1)
    with workspace.reading() as connection:
        categories = dashboard.categories(connection, month)
        days, days_before = dashboard.days(connection, month), dashboard.days(connection, before)
        merchants = dashboard.merchants(connection, month, size=MERCHANTS_SHOWN)
        accounts = dashboard.accounts(connection, month)
        currencies = dashboard.currencies(connection, month)
    draw_figures(months, month, currencies)

    left, right = st.columns([1.2, 1], gap="small")
    with left.container(border=True, height="stretch"):
        draw_categories(categories, month_name(before))
    with right.container(border=True, height="stretch"):
        st.subheader("Top merchants")
        draw_ranked([merchant_bar(row) for row in merchants])
    left, right = st.columns([1.2, 1], gap="small")
    with left.container(border=True, height="stretch"):
        draw_year(month, months)
    with right.container(border=True, height="stretch"):
        st.subheader("Day by day")
        today = clock.today(workspace.current())
        now, then = month_name(month), month_name(before)
        points = running_total(days, now, today) + running_total(days_before, then, today)
        st.altair_chart(
            charts.running(points, PALETTE, now=now, before=then), alt=f"Spending in {now}, summed up by day"
        )
    members = by_member(accounts)
    left, right = st.columns([1.2, 1], gap="small") if len(members) > 1 else (st.container(), None)
    with left.container(border=True, height="stretch"):
        st.subheader("By account")
        draw_ranked([charts.Bar(row.account, row.spent, show(row.spent)) for row in accounts])
    if right:
        with right.container(border=True, height="stretch"):
            st.subheader("By member")
            draw_ranked(members)


def draw_categories(rows: list[dashboard.CategorySpend], before: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Where it went", width="stretch")
        level = st.segmented_control(
            "Level", ["Groups", "Categories"], default="Groups", label_visibility="collapsed", key="level"
        )
    draw_ranked(by_category(rows, roots=level != "Categories"), before=before)
    st.caption(f"The mark beside a bar is {before}.")


def draw_year(month: date, months: list[dashboard.Month]) -> None:
    st.subheader("Twelve months")
    entries = [
        charts.Column(f"{entry.month:%b %Y}", entry.spent, show(entry.spent), entry.month == month)
        for entry in dashboard.year_to(month, months)
    ]
    st.altair_chart(
        charts.columns(entries, PALETTE), alt="; ".join(f"{entry.name}: {entry.shown}" for entry in entries)
    )


def draw_ranked(bars: list[charts.Bar], *, before: str = "") -> None:
    st.altair_chart(
        charts.ranked(bars, PALETTE, before=before), alt="; ".join(f"{bar.name}: {bar.shown}" for bar in bars)
    )


def merchant_bar(row: dashboard.MerchantSpend) -> charts.Bar:
    name = f"{row.merchant} (new)" if row.is_new else row.merchant
    return charts.Bar(name, row.spent, show(row.spent), note=f"{row.purchases:,}")


def by_member(rows: list[dashboard.AccountSpend]) -> list[charts.Bar]:
    totals: dict[str, Decimal] = {}
    for row in rows:
        name = row.member or "Nobody in particular"
        totals[name] = totals.get(name, Decimal(0)) + row.spent
    return [charts.Bar(name, spent, show(spent)) for name, spent in sorted(totals.items(), key=lambda item: -item[1])]


def draw() -> None:
    try:
        with workspace.reading() as connection:
            as_of, months = dashboard.as_of(connection), dashboard.months(connection)
    except NotBuilt:
        st.title("Dashboard")
        st.info(
            f"There are no figures yet: they come from the warehouse, which has not been built. {where_to_build()}",
            icon=":material/warehouse:",
        )
        return
    if not months:
        st.title("Dashboard")
        as_of_line(as_of)
        st.info(
            f"The warehouse has no spending of this workspace. Add expenses, then build. {where_to_build()}",
            icon=":material/receipt_long:",
        )
        return
    names = {month_name(entry.month): entry.month for entry in reversed(months)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Dashboard", width="stretch")
        chosen = st.selectbox(
            "Month", list(names), key="month", bind="query-params", label_visibility="collapsed", width=220
        )
    as_of_line(as_of)
    draw_month(names[chosen], months)


draw()
