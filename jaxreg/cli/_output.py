"""Files written all or not at all: into a temporary directory beside the target, then moved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxreg.cli._errors import InputError


@contextmanager
def output(out: Path) -> Iterator[Path]:
    """A temporary directory whose files appear in `out` when the block ends well, and vanish otherwise.

    Made at once, so that a place that cannot be written is known before any work. Raises InputError for that.
    """
    base = out
    while not base.exists() and base != base.parent:
        base = base.parent
    try:
        if not base.is_dir():
            raise NotADirectoryError(20, "not a directory", str(base))
        temporary = Path(tempfile.mkdtemp(prefix=".jaxreg-", dir=base))
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror}: {base}); name another.") from error
    try:
        yield temporary
        try:
            _move(temporary, out)
        except OSError as error:
            raise InputError(f"--out {out} cannot be written ({error.strerror}); name another.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, out: Path) -> None:
    if out.is_dir():
        for file in sorted(temporary.iterdir()):
            os.replace(file, out / file.name)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o777 & ~mask)
    os.replace(temporary, out)
