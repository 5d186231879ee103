"""Many random faults in a row, on one world: by its seed, with what was reached and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.checks import Differences
from tests.chaos.faults import Fault, able, choose
from tests.chaos.world import World


@dataclass
class Done:
    """`struck`: faults that were reached, by name. `recoveries`: seconds until live read again, after each fault."""

    struck: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    differences: Differences = field(default_factory=Differences)
    checks: int = 0


Told = Callable[[int, Fault, str, float], None]


def campaign(
    world: World,
    *,
    faults: int,
    among: Sequence[Fault] | None = None,
    every: int = 100,
    tell: Told = lambda *_: None,
    done: Done | None = None,
) -> Done:
    """Let so many faults strike, one after the other, while traffic flows; compare after each `every`, and at the end.

    Args:
        among: the faults to choose from; left out, all that strike no server that others may use too.
        done: is filled in, so that a caller has it even of a run that stopped.
        tell: is told of each fault: its number, itself, what showed that it was reached, and its seconds.

    Raises:
        NotReached: a fault did not happen as its name says.
        AssertionError: the world did not recover in time.
    """
    done = Done() if done is None else done
    among = among or able(shared=False, mounts=world.mounted)
    for number in range(1, faults + 1):
        chosen = choose(world.random, among)
        began = time.monotonic()
        said = chosen.strike(world)
        done.recoveries.append(world.recover())
        seconds = time.monotonic() - began
        done.struck[chosen.name] += 1
        done.seconds[chosen.name] += seconds
        tell(number, chosen, said, seconds)
        if number % every == 0 or number == faults:
            world.settle()
            done.differences = world.differences()
            done.checks += 1
            if done.differences:
                break
    return done
