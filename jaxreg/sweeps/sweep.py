"""One function over every combination of axes, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg._typing import PyTree
from jaxreg.solvers.minimize import OnFail, report
from jaxreg.sweeps._axes import WHERE, read
from jaxreg.sweeps._batches import check_size, mesh_of, outlined, planned, run
from jaxreg.sweeps._collect import collect
from jaxreg.sweeps._store import Store, marked


@pytree
class Sweep:
    """What `sweep` found: `results` with a leading axis for every name in `names`, and the `axes` as given."""

    results: Any
    axes: dict[str, PyTree]
    names: tuple[str, ...] = static()

    @property
    def sizes(self) -> dict[str, int]:
        """The length of every axis."""
        return {name: len(jax.tree.leaves(self.axes[name])[0]) for name in self.names}

    def at(self, **places: Any) -> Any:
        """The results at an index, a slice or an array of indices of some axes; an index takes its axis away.

        Raises ValueError for an axis that is not there.
        """
        wrong = [name for name in places if name not in self.names]
        if wrong:
            raise ValueError(f"Sweep.at: there is no axis {wrong[0]!r}; the axes are {', '.join(self.names)}.")
        found = self.results
        for axis, name in reversed(list(enumerate(self.names))):
            if name in places:
                where = (slice(None),) * axis + (places[name],)
                found = jax.tree.map(lambda x, where=where: x[where], found)
        return found

    def __repr__(self) -> str:
        each = " x ".join(f"{size} {name}" for name, size in self.sizes.items())
        return f"<Sweep over {each}: {type(self.results).__name__}>"


def sweep(
    fit: Callable[..., PyTree],
    axes: Mapping[str, Any],
    *,
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
    checkpoint: str | Path | None = None,
    on_fail: OnFail = "warn",
) -> Sweep:
    """Call `fit` at every combination of the axes' values, many at once: fit(name=value, ...) for the whole product.

    `fit` is a pure function that `jax.vmap` can take and that returns a tree of arrays, such as a call of `minimize`.
    An axis is an array or a list whose entries it is given one by one, or a tree of arrays that vary together, such as
    `jr.tasks(...)`, a penalty with several strengths or `jax.random.split(key, seeds)`. Large data should not be closed
    over, which writes them into the program: bind them with `jax.tree_util.Partial(fit, data)`. Calls with the same
    function object share one compilation.

    `batch_size` points are run at once, evenly divided: at most 256 per device by default, fewer where a batch's
    arguments and results would pass 256 MiB. Batches are spread over the devices of `mesh`, by default all of this
    process, each looping on its own. Results come back to the host's memory as NumPy arrays, the last axis given
    varies fastest, and each is what `fit` returns alone, to rounding. With `checkpoint`, a folder, every batch is
    written as it ends and a later call of the same sweep reads it instead, to the same bits. `progress` writes a line
    to stderr where it takes more than a second. Where results have a `status`, as `Solution` has, fits that did not
    converge are warned of, raised or ignored as in `minimize`.

    Raises TypeError or ValueError for axes, a mesh, a batch size or a checkpoint that cannot be used.

    >>> import jax, jax.numpy as jnp, jaxreg as jr
    >>> risk, data = jr.risk(jr.linear, jr.Squared()), (jnp.eye(2), jnp.array([3.0, 1.0]))
    >>> def lasso(strength, shift):
    ...     return jr.minimize(risk, strength * jr.L1(), jnp.zeros(2), (data[0], data[1] + shift))
    >>> found = jr.sweep(lasso, {"strength": [0.5, 1.0, 2.0], "shift": jnp.zeros(4)})
    >>> found, found.results.params.shape, found.at(strength=0, shift=0).params.round(3).tolist()
    (<Sweep over 3 strength x 4 shift: Solution>, (3, 4, 2), [2.0, 0.0])
    """
    if not callable(fit):
        raise TypeError(f"{WHERE}: fit is {type(fit).__name__}, expected a function of the axes' names.")
    given, spread = read(axes), mesh_of(mesh)
    check_size(batch_size)
    bound = fit if isinstance(fit, jax.tree_util.Partial) else jax.tree_util.Partial(fit)
    one = outlined(bound, given)
    if any(map(_tree.is_key, jax.tree.leaves(one[1]))):
        raise TypeError(f"{WHERE}: fit returns random keys, expected numbers; return jax.random.key_data(key).")
    size = planned(one, len(given), batch_size, spread)
    leaves, form = jax.tree.flatten(one[1])
    shapes = [jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype) for leaf in leaves]
    store = None
    if checkpoint is not None:
        program = run.lower(spread, bound, given, given.points(0, size)).as_text()
        store = Store(checkpoint, marked(program, bound, given, size))
    parts = zip(*collect(spread, bound, given, size, shapes, store, progress), strict=True)
    whole = [np.concatenate(x)[: len(given)].reshape(given.sizes + x[0].shape[1:]) for x in parts]
    found = Sweep(jax.tree.unflatten(form, whole), given.values, given.names)
    _tell(found.results, on_fail)
    return found


def _tell(results: Any, on_fail: OnFail) -> None:
    """Say how many fits did not converge, where results say so."""
    held = results if isinstance(results, Mapping) else getattr(results, "__dict__", {})
    status, gap = held.get("status"), held.get("gap")
    if isinstance(status, np.ndarray) and np.issubdtype(status.dtype, np.integer):
        report(WHERE, jnp.asarray(status), jnp.asarray(jnp.nan if gap is None else gap), on_fail)
