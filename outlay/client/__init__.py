"""A program's way to an Outlay that runs elsewhere: the API's operations as typed calls.

with Client.log_in("https://outlay.example/api", "anna@example.org", password) as outlay:
    [card, *_] = outlay.accounts()
    outlay.record(account_id=card.account_id, occurred_on=date.today(), amount=Decimal("4.50"), currency="EUR")
"""

from outlay.client.client import Client
from outlay.client.errors import Problem, Unreachable

__all__ = ["Client", "Problem", "Unreachable"]
