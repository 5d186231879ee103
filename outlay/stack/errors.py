"""What goes wrong with servers, for the person at the terminal."""


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message is one line that says what to do."""


class NotReady(Exception):
    """A health check's answer: the server does not serve yet, and why."""


class Broken(NotReady):
    """A health check's answer: the server does not serve, and waiting will not help."""
