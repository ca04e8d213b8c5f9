"""The persistent compilation cache, off unless asked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import jax


def enable_compilation_cache(directory: str | os.PathLike[str] | None = None) -> Path:
    """Keep compiled programs on disk, so that the next process starts fast; returns the directory.

    By default `$XDG_CACHE_HOME/jaxreg` (or `~/.cache/jaxreg`), created for the user alone: whoever can write there
    can run code as you. Sets JAX's global configuration, which the library never does on its own. Raises
    PermissionError for a directory that others may write to.

    >>> import tempfile, jaxreg as jr
    >>> with tempfile.TemporaryDirectory() as folder:  # doctest: +SKIP
    ...     jr.enable_compilation_cache(folder)
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(directory) if directory is not None else Path(base) / "jaxreg"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} can be written by others: run chmod 700 on it, or name another directory.")
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return path
