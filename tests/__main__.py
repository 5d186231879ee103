"""All tests, in two processes beside each other: those that share embedded servers, and those that need none of these.

`python -m tests [pytest's options]`. What the second one says is printed when it has ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading

_APART = "apart or not (integration or app or chaos)"


def main() -> int:
    """The exit code of the first of the two that failed, or 0."""
    command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    with tempfile.TemporaryFile("w+") as said:
        print(
            "beside these run the tests that share no servers; what they say follows when they have ended", flush=True
        )
        apart = subprocess.Popen(
            ["nice", *command, "-m", _APART, "-p", "no:cacheprovider"], stdout=said, stderr=subprocess.STDOUT
        )
        teller = threading.Thread(target=_tell, args=(apart, said))
        teller.start()
        sharing = subprocess.run([*command, "-m", f"not ({_APART})"], check=False).returncode
        teller.join()
    return apart.returncode or sharing


def _tell(apart: subprocess.Popen[bytes], said) -> None:
    apart.wait()
    said.seek(0)
    print(f"\n{said.read()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
