"""Why a replay stops. Each message is one line that says what to do; `live` is as it was."""


class ReplayError(RuntimeError):
    """The replay cannot go on. Nothing was swapped."""
