"""Checkpoints of any tree by orbax: written whole or not at all, read back bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxreg import _tree
from jaxreg._typing import PyTree


def save(folder: str | Path, step: int, tree: PyTree) -> None:
    """Write a tree of arrays and keys as checkpoint number `step`; the newest two are kept.

    Raises ModuleNotFoundError that says what to install where orbax is missing.
    """
    ocp = _orbax()
    leaves = {str(i): _tree.numbers(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}
    with _manager(ocp, folder) as manager:
        manager.save(step, args=ocp.args.StandardSave(leaves), force=True)
        manager.wait_until_finished()


def latest(folder: str | Path) -> int | None:
    """The number of the newest whole checkpoint in a folder, None if there is none."""
    if not Path(folder).is_dir():
        return None
    with _manager(_orbax(), folder) as manager:
        found = manager.latest_step()
    return None if found is None else int(found)


def load(folder: str | Path, like: PyTree | Callable[[int], PyTree]) -> tuple[int, PyTree]:
    """The newest checkpoint and its number, in the form of `like`: a tree, or a function from the number to one.

    Raises FileNotFoundError where there is none and ValueError where its leaves do not have the form asked for.
    """
    step = latest(folder)
    if step is None:
        raise FileNotFoundError(f"load: there is no checkpoint in {folder}.")
    ocp = _orbax()
    template = like(step) if callable(like) else like
    leaves, form = jax.tree.flatten(template)
    with _manager(ocp, folder) as manager:
        found = manager.restore(step, args=ocp.args.StandardRestore())
    read = [found[str(i)] for i in range(len(found))]
    wanted = [_tree.numbers(leaf) for leaf in leaves]
    if [(a.shape, a.dtype) for a in read] != [(a.shape, a.dtype) for a in wanted]:
        raise ValueError(
            f"load: the checkpoint in {folder} holds {len(read)} arrays that do not fit the {len(wanted)} asked for; "
            "it was written by another network, optimizer, weighting, number of seeds or tasks. Use a new folder."
        )
    return step, jax.tree.unflatten(form, [_keyed(a, leaf) for a, leaf in zip(read, leaves, strict=True)])


def _orbax() -> Any:
    try:
        import orbax.checkpoint as ocp  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("checkpoints need orbax: pip install orbax-checkpoint") from error
    return ocp


def _manager(ocp: Any, folder: str | Path) -> Any:
    options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True, enable_async_checkpointing=False)
    return ocp.CheckpointManager(Path(folder).resolve(), options=options)


def _keyed(array: Any, like: Any) -> Any:
    made = jnp.asarray(array)
    return jax.random.wrap_key_data(made, impl=jax.random.key_impl(like)) if _tree.is_key(like) else made
