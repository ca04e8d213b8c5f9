"""The one boundary: what enters is checked, converted and named before anything is traced."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxreg._typing import Array, Data, PyTree

_ALIGNED = 64
"""Bytes: XLA on a CPU takes over NumPy's memory that begins at a multiple of this."""


class PrecisionWarning(UserWarning):
    """float64 input is computed in float32 because JAX's 64-bit mode is off."""


class ConvergenceWarning(UserWarning):
    """A fit returned without reaching its tolerance."""


def traced(*trees: PyTree) -> bool:
    """Whether any leaf is a tracer, so that values cannot be looked at."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def on_host(x: Any) -> bool:
    """Whether an array lies in the host's memory, NumPy's or that of one CPU device."""
    if not isinstance(x, jax.Array):
        return True
    devices = x.devices()
    return len(devices) == 1 and next(iter(devices)).platform == "cpu"


def is_sparse(value: Any) -> bool:
    """Whether this is a matrix or an array of scipy.sparse or jax.experimental.sparse; neither is imported for it."""
    return hasattr(value, "tocsc") or hasattr(value, "nse")


def array(where: str, name: str, value: Any, labels: bool = False, announce: bool = False) -> Array:
    """A real array in native byte order: floats stay, integers and booleans become floats unless they are labels.

    Raises TypeError for complex, object, text, masked or sparse input, ValueError for ragged lists.
    """
    if isinstance(value, jax.Array):
        return value if labels or jnp.issubdtype(value.dtype, jnp.floating) else value.astype(float)
    return private(host_array(where, name, value, labels, announce))


def host_array(where: str, name: str, value: Any, labels: bool = False, announce: bool = False) -> np.ndarray:
    """What `array` gives, in the host's memory; not a copy where nothing had to be converted."""
    if isinstance(value, jax.Array):
        return np.asarray(array(where, name, value, labels))
    made = checked(where, name, value)
    if labels and made.dtype.kind != "f":
        return made.astype(np.int32)
    if made.dtype.kind in "iub":
        made = made.astype(np.float64 if jax.config.read("jax_enable_x64") else np.float32)
    made = made.astype(made.dtype.newbyteorder("="), copy=False)
    if announce:
        _announce(made.dtype, where)
    with np.errstate(over="ignore"):
        return made.astype(jax.dtypes.canonicalize_dtype(made.dtype), copy=False)


def checked(where: str, name: str, value: Any) -> np.ndarray:
    """As it is, on the host, if it is real and dense. Raises as `array`."""
    if isinstance(value, np.ma.MaskedArray) or is_sparse(value):
        kind = "masked" if isinstance(value, np.ma.MaskedArray) else "sparse"
        raise TypeError(f"{where}: {name} is a {kind} array, expected a dense one; fill or densify it first.")
    try:
        made = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{where}: {name} is ragged: {error}. For tasks of unequal size use jaxreg.tasks.") from None
    if made.dtype.kind not in "fiub" or made.dtype.itemsize > 8:
        raise TypeError(f"{where}: {name} has dtype {made.dtype}, expected real numbers (float32 or float64).")
    return made


def private(made: np.ndarray | Array) -> Array:
    """A copy on the device that later changes of the original do not reach; what is on one already stays.

    It is made by NumPy at an address that XLA on a CPU takes over as it stands, several times faster than XLA copies.
    """
    if isinstance(made, jax.Array):
        return made
    copy = aligned(made.shape, made.dtype)
    np.copyto(copy, made)
    return jax.device_put(copy)


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Memory to be filled, at an address from which `jax.device_put` to a CPU takes it over without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + _ALIGNED, np.uint8)
    first = -buffer.ctypes.data % _ALIGNED
    return buffer[first : first + size].view(dtype).reshape(shape)


_announced: set[str] = set()


def _announce(dtype: np.dtype[Any], where: str) -> None:
    if dtype == np.float64 and not jax.config.read("jax_enable_x64") and "float64" not in _announced:
        _announced.add("float64")
        warnings.warn(
            f"{where}: jaxreg computes this float64 input in float32, because JAX's 64-bit mode is off. For "
            'certificates below about 1e-5 call jax.config.update("jax_enable_x64", True) first.',
            PrecisionWarning,
            stacklevel=4,
        )


def problem(
    where: str, data: Data, weights: Any, *, tasks: bool, labels: bool, keep: bool = False
) -> tuple[Data, Array]:
    """Check data = (X, y) and sample weights; rows of weight 0 are blanked, so that whatever they hold is harmless.

    Returns arrays of one floating dtype and weights shaped like the sample axes: (n,), or (tasks, m). With `keep`, X
    stays the caller's own memory where it is in the host's and nothing has to be changed. Raises TypeError or
    ValueError that names the argument, what was given, what was expected and what to do.
    """
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(f"{where}: data is {type(data).__name__}, expected a pair (X, y).")
    whole = isinstance(data[0], list)  # an array in the making; any other container, but for JAX's sparse, is a tree
    keep = keep and not traced(data)

    def take(x: Any) -> Any:
        return (host_array if keep and on_host(x) else array)(where, "X", x, announce=True)

    X = jax.tree.map(take, data[0], is_leaf=lambda x: whole or is_sparse(x))
    y = array(where, "y", data[1], labels, announce=True)
    lead = _sample_shape(where, X, y, tasks)
    dtype = jnp.result_type(*jax.tree.leaves(X))
    floating = jnp.issubdtype(y.dtype, jnp.floating)
    if labels and floating and y.ndim == len(lead):
        raise TypeError(f"{where}: y has dtype {y.dtype}, expected integer class labels; use y.astype(int).")
    y = y.astype(dtype) if floating or not labels else y
    w = jnp.ones(lead, dtype) if weights is None else array(where, "weights", weights).astype(dtype)
    if w.shape != lead:
        raise ValueError(f"{where}: weights have shape {w.shape}, expected {lead}, one per row of X.")
    if not traced(w):
        _check_weights(where, np.asarray(w))
    if not traced(X, y, w):
        for name, value in (*((("X"), x) for x in jax.tree.leaves(X)), ("y", y)):
            _check_finite(where, name, np.asarray(value), np.asarray(w))
    if weights is None or (not traced(w) and np.all(np.asarray(w) > 0)):
        return (X, y), w
    return (jax.tree.map(lambda x: _blank(x, w), X), _blank(y, w)), w


def _sample_shape(where: str, X: PyTree, y: Array, tasks: bool) -> tuple[int, ...]:
    axes = 2 if tasks else 1
    if y.ndim < axes:
        hint = " Build them with jaxreg.tasks." if tasks else ""
        raise ValueError(f"{where}: y has shape {y.shape}, expected {'(tasks, rows)' if tasks else '(rows,)'}.{hint}")
    lead = y.shape[:axes]
    for x in jax.tree.leaves(X):
        if x.ndim < axes + 1:
            form = "(tasks, rows, features)" if tasks else "(rows, features)"
            raise ValueError(f"{where}: X has shape {x.shape}, expected {form}; use X[..., None] for one feature.")
        if x.shape[:axes] != lead:
            raise ValueError(
                f"{where}: y has shape {y.shape}, expected {x.shape[:axes]} to match X of shape {x.shape}."
            )
    if 0 in lead or any(0 in x.shape for x in jax.tree.leaves(X)):
        raise ValueError(f"{where}: X and y are empty (y has shape {y.shape}); at least one row and feature needed.")
    return lead


def _check_weights(where: str, w: np.ndarray) -> None:
    if not np.all(np.isfinite(w)) or np.any(w < 0):
        raise ValueError(f"{where}: weights must be finite and >= 0, got a minimum of {np.min(w)}.")
    if not np.any(w > 0):
        raise ValueError(f"{where}: all weights are 0, so that no row counts.")


def _check_finite(where: str, name: str, value: np.ndarray, w: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        if value.dtype.kind != "f" or np.isfinite(value.sum(0)).all() or np.all(np.isfinite(value)):
            return
    bad = ~np.isfinite(value.reshape(*w.shape, -1)).all(-1) & (w > 0)
    if bad.any():
        raise ValueError(
            f"{where}: {name} has NaN or infinite entries in {int(bad.sum())} row(s) that count, first in "
            f"{_place(bad)[0]}. Drop or fill them, or give these rows weight 0."
        )


def targets(where: str, y: Array, w: Array, loss: Any) -> None:
    """Raise ValueError for concrete targets, in rows that count, that the loss is not made for."""
    if traced(y, w, loss):
        return
    bad = ~np.asarray(loss.admits(np.asarray(y))).reshape(*w.shape, -1).all(-1) & (np.asarray(w) > 0)
    if bad.any():
        place, first = _place(bad)
        raise ValueError(
            f"{where}: y has targets that {loss!r} is not made for in {int(bad.sum())} row(s) that count, first "
            f"{np.asarray(y)[first]} in {place}; expected {loss.expects}."
        )


def _place(bad: np.ndarray) -> tuple[str, tuple[int, ...]]:
    """The first row of (rows,) or (tasks, rows) that is bad, in words and as an index."""
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"row {first[0]}" if len(first) == 1 else f"task {first[0]}, row {first[1]}", first


def _blank(x: Array, w: Array) -> Array:
    keep = jnp.reshape(w > 0, w.shape + (1,) * (x.ndim - w.ndim))
    return jnp.where(jnp.broadcast_to(keep, x.shape), x, jnp.zeros_like(x))


def parameters(where: str, init: PyTree, dtype: Any) -> PyTree:
    """Starting parameters in the data's dtype. Raises ValueError when they are not finite or there are none."""
    if not jax.tree.leaves(init):
        raise ValueError(f"{where}: init has no leaves; give zeros of the parameters' form.")
    made = jax.tree.map(lambda x: array(where, "init", x).astype(dtype), init)
    if not traced(made) and not all(np.all(np.isfinite(x)) for x in jax.tree.leaves(made)):
        raise ValueError(f"{where}: init has NaN or infinite entries.")
    return made


def number(where: str, name: str, value: Any, dtype: Any, *, low: float, strict: bool = False) -> Array:
    """A real scalar of one dtype, at least `low`."""
    if not traced(value):
        ok = np.ndim(value) == 0 and np.isfinite(value) and (value > low if strict else value >= low)
        if not ok:
            raise ValueError(f"{where}: {name} is {value!r}, expected a number {'>' if strict else '>='} {low}.")
    return jnp.asarray(value, dtype)
