"""How fast `outlay import` is: rows decided a second, by tenth of the file, and the importer's largest memory.

    outlay bench import FILE [what `outlay import` takes]

Imports into a workspace of its own, twice (the second time every row is there already), against the stack that is up.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import uuid


def measure(*args: str) -> dict:
    """The figures of one import, with the largest resident set of any child so far, in MB."""
    command = [sys.executable, "-m", "outlay", "import", *args, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout)
    rows = said["inserted"] + said["already_there"]
    tenths = said["tenths"]
    return {
        "inserted": said["inserted"],
        "already_there": said["already_there"],
        "rows_per_s": round(rows / said["elapsed_s"]) if said["elapsed_s"] else None,
        "tenths": tenths,
        "last_to_first_tenth": round(tenths[-1] / tenths[0], 2) if tenths else None,
        "largest_resident_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        print(__doc__)
        sys.exit()
    into = (*sys.argv[1:], "--workspace", f"Bench {uuid.uuid4()}")
    print(json.dumps({"first": measure(*into), "again": measure(*into)}, indent=2))
