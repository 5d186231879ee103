"""What the page on the API tells to send is taken, in its order: by curl's lines, and by the Python as it stands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from outlay.api.filters import AskedPage
from tests.accounts import Person, forgive_attempts, open_installation
from tests.api import served
from tests.pictures import picture
from tests.support import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.small]

PAGE = (PROJECT / "docs/api.md").read_text()
_ASSIGNED = re.compile(r"(\w+)=\$\((curl .*) \| jq -r ([^ )]+)\)")


@pytest.fixture
def town(stack) -> Iterator[tuple[str, Person]]:
    """The address of the API of a running server, and somebody with an account there."""
    with open_installation() as api:
        forgive_attempts()
        with served(api) as address:
            yield address, Person(api)


def sent(command: str, known: dict[str, str]) -> Any:
    """What `curl` would print, as JSON."""
    for name in sorted(known, key=len, reverse=True):
        command = command.replace(f"${name}", known[name])
    words = shlex.split(command)
    assert words[:2] == ["curl", "-s"]
    given = dict(pairwise(words[2:]))
    headers = dict(value.split(": ", 1) for at, value in pairwise(words) if at == "-H")
    method = given.get("-X") or ("POST" if {"--json", "-F"} & given.keys() else "GET")
    [address] = [word for word in words if word.startswith("http")]
    body = {"json": json.loads(given["--json"])} if "--json" in given else {}
    if "-F" in given:
        field, _, path = given["-F"].partition("=@")
        body["files"] = {field: (path, picture("PNG"))}
    answer = httpx.request(method, address, headers=headers, **body, timeout=60)
    assert answer.is_success, f"{command}: {answer.text}"
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


def picked(found: Any, path: str) -> str:
    """What `jq -r` picks by such a path: .a, .[0].a"""
    for step in re.findall(r"\[(\d+)\]|\.(\w+)", path):
        found = found[int(step[0])] if step[0] else found[step[1]]
    return found


def test_the_lines_of_the_page_lead_from_an_address_to_an_expense_changed_and_restored(town):
    api, anna = town
    known, answers = {}, {}
    for line in re.findall(r"^\$ (.*)$", PAGE, re.M):
        if "curl -sN" in line:
            continue  # it never ends; test_api_stream reads one
        line = line.replace("anna@example.org", anna.email)
        if line.startswith("api="):
            known["api"] = api
            continue
        assigned = _ASSIGNED.fullmatch(line)
        if assigned:
            name, command, path = assigned.groups()
            known[name] = picked(sent(command, known), path)
        else:
            path = re.search(r"\$api(/[^ \"]*)", line)[1]
            answers[path] = sent(line, known)
    assert set(known) == {"api", "token", "workspace", "card", "coffee", "bees", "cursor"}
    [_, exported] = answers["/expenses/export?from=2026-01-01&to=2026-12-31"].splitlines()
    assert "2026-03-14,,expense,posted,false,4.5000,EUR" in exported
    assert answers["/categories/$bees"]["path"].endswith(" › Beekeeping")
    assert answers["/categories/food.coffee/uses"]["expenses"] == 1
    assert answers["/categories/food.coffee/merge"]["expenses"] == 1
    assert answers["/categories/food.coffee/restore?with_expenses=true"]["expenses"] == 1
    versions = answers["/expenses/$coffee/history"]
    assert [each["operation"] for each in versions] == ["recorded", "amended", "voided", "restored"]
    assert [each["actor"] for each in versions] == [anna.name] * 4
    assert {change["field"] for change in versions[3]["changed"]} == {"note", "tags"}, "it is what it was at first"
    assert answers["/expenses/changes?cursor=$cursor"]["expenses"] == []
    assert "food.groceries" in [each["category_id"] for each in answers["/categories"]]


def test_the_python_of_the_page_runs_as_it_stands(town, capsys):
    api, anna = town
    records, typed, follows = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(records.replace("http://127.0.0.1:8501/api", api).replace("anna@example.org", anna.email), names)  # noqa: S102
    told, *listed = capsys.readouterr().out.splitlines()
    assert "'inserted': 2" in told
    assert listed == ["2026-03-15 23.9000 EUR None", "2026-03-14 4.5000 EUR Starbucks"]

    exec(typed.replace("http://127.0.0.1:8501/api", api).replace("anna@example.org", anna.email), {})  # noqa: S102
    assert capsys.readouterr().out == "19.9000\n"

    exec(follows, names)  # noqa: S102
    client, expense = names["api"], names["page"]["expenses"][0]
    start = client.get("/expenses/changes").json()["cursor"]
    where, tag = f"/expenses/{expense['transaction_id']}", {"If-Match": '"1"'}
    assert client.patch(where, json={"note": "weekly"}, headers=tag).status_code == 200
    changed = next(names["follow"](start))
    assert (changed["transaction_id"], changed["note"]) == (expense["transaction_id"], "weekly")
    client.close()


def test_the_page_names_every_filter():
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", PAGE, re.M))))
    fields = {field.alias or name for name, field in AskedPage.model_fields.items()}
    assert told == fields - {"sort", "cursor", "limit"}
