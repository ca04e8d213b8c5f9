"""What the command line says when it cannot go on: one line and exit code 2."""

from importlib.util import find_spec


class InputError(Exception):
    """Something the user gave cannot be used; the message says what, what was expected and what to do."""


def need(*modules: str) -> None:
    """Raise InputError unless the optional packages are installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise InputError(f'{", ".join(missing)} not installed; run: pip install "jaxreg[cli]"')
