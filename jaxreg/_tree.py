"""Tree arithmetic and the names of leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array, PyTree


def names(tree: PyTree) -> tuple[str, ...]:
    """Name every leaf by its path, as in `trunk/dense/kernel`; a bare array is named by the empty string."""
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return tuple(jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths)


def matching(leaves: Sequence[str], glob: str, where: str) -> list[str]:
    """The names that match a glob, or have a parent that does. Raises ValueError, listing the leaves, if none does."""
    hits = [name for name in leaves if _matches(name, glob)]
    if not hits:
        listed = ", ".join(repr(name) for name in leaves) or "none"
        raise ValueError(f"{where} matches no leaf of the parameters; the leaves are: {listed}.")
    return hits


def _matches(name: str, glob: str) -> bool:
    pieces = name.split("/")
    return any(fnmatchcase("/".join(pieces[: i + 1]), glob) for i in range(len(pieces)))


def dtype(tree: PyTree) -> Any:
    """The promoted floating dtype of all leaves."""
    return jnp.result_type(*(jnp.result_type(x) for x in jax.tree.leaves(tree)), jnp.float16)


def cast(tree: PyTree, to: Any) -> PyTree:
    """Every real number in the tree as a strongly typed array of one dtype; keys and objects are left alone."""
    return jax.tree.map(lambda x: jnp.asarray(x, to) if _is_real(x) else x, tree)


def _is_real(x: Any) -> bool:
    kind = jnp.result_type(x)
    return jnp.issubdtype(kind, jnp.floating) or jnp.issubdtype(kind, jnp.integer) or kind == jnp.bool_


def is_key(x: Any) -> bool:
    """Whether this is an array of random keys, or the shape of one."""
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def numbers(x: Any) -> np.ndarray:
    """An array in the host's memory, random keys by their data."""
    return np.asarray(jax.random.key_data(x) if is_key(x) else x)


def digest(tree: PyTree) -> str:
    """The SHA-256 of a tree's numbers, dtypes and shapes."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        held = numbers(leaf)
        found.update(f"{held.dtype}{held.shape}".encode())
        found.update(np.ascontiguousarray(held).data)
    return found.hexdigest()


def add_scale(x: PyTree, scale: Any, y: PyTree) -> PyTree:
    """x + scale * y, leaf by leaf."""
    return jax.tree.map(lambda a, b: a + scale * b, x, y)


def scale(factor: Any, x: PyTree) -> PyTree:
    """factor * x, leaf by leaf."""
    return jax.tree.map(lambda a: factor * a, x)


def sub(x: PyTree, y: PyTree) -> PyTree:
    """x - y, leaf by leaf."""
    return jax.tree.map(jnp.subtract, x, y)


def vdot(x: PyTree, y: PyTree) -> Array:
    """Inner product of two trees of one structure."""
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), x, y)
    return reduce(jnp.add, jax.tree.leaves(products))


def norm2(x: PyTree) -> Array:
    """Squared Euclidean norm of a tree."""
    return vdot(x, x)


def max_abs(tree: PyTree) -> Array:
    """Largest absolute entry of a tree, 0 if it is empty, NaN if an entry is."""
    tops = [jnp.max(jnp.abs(x), initial=0) for x in jax.tree.leaves(tree)]
    return reduce(jnp.maximum, tops)


def all_finite(tree: PyTree) -> Array:
    """Whether every entry is finite."""
    return reduce(jnp.logical_and, [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(tree)])


def where(condition: Array, x: PyTree, y: PyTree) -> PyTree:
    """Choose between two trees by one condition."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), x, y)


def zeros_like(tree: PyTree) -> PyTree:
    """A tree of zeros."""
    return jax.tree.map(jnp.zeros_like, tree)


def spread(prefix: PyTree, tree: PyTree) -> list[Any]:
    """One entry of `prefix` for every leaf of `tree`: a number or array serves all, a tree must match."""
    leaves, structure = jax.tree.flatten(tree)
    given, shape = jax.tree.flatten(prefix)
    if bool(shape == structure):  # type: ignore[operator]
        return given
    if len(given) == 1 and jax.tree_util.treedef_is_leaf(shape):
        return given * len(leaves)
    raise ValueError(
        f"step is a tree {shape}, parameters are {structure}: give one number, or a tree of the parameters' form."
    )
