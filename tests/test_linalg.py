"""Decompositions under vmap and in derivatives, and that no batch is handed to the kernels of jaxlib that wait."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
from jaxreg import _linalg

PLAIN = {
    "svd": lambda x: tuple(jnp.linalg.svd(x, full_matrices=False)),
    "singular_values": lambda x: jnp.linalg.svd(x, compute_uv=False),
    "triangular": lambda x: jnp.linalg.qr(x, mode="r"),
    "eigh": lambda x: tuple(jnp.linalg.eigh(x, symmetrize_input=False)),
    "eigenvalues": lambda x: jnp.linalg.eigvalsh(x),
}


def positive(*lead: int) -> np.ndarray:
    A = np.random.default_rng(0).normal(size=(*lead, 4, 4))
    return A @ np.swapaxes(A, -1, -2) + np.eye(4)


@pytest.mark.parametrize("name", PLAIN)
def test_a_loop_is_the_batch(name: str, x64):
    x = positive(3, 2)
    for made, known in zip(
        jax.tree.leaves(jax.jit(jax.vmap(jax.vmap(getattr(_linalg, name))))(x)),
        jax.tree.leaves(PLAIN[name](x)),
        strict=True,
    ):
        np.testing.assert_allclose(made, known, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["svd", "singular_values"])
def test_singular_values_beside_an_infinite_entry_end(name: str, x64):
    """LAPACK's do not: Nuclear().prox hung on a parameter that had overflowed."""
    x = positive(2)
    x[0, 1, 1] = np.inf
    for dtype in ("float32", "float64"):
        made = jax.jit(jax.vmap(getattr(_linalg, name)))(x.astype(dtype))
        known = PLAIN[name](x[1].astype(dtype))
        for batch, one in zip(jax.tree.leaves(made), jax.tree.leaves(known), strict=True):
            assert np.isnan(batch[0]).all()
            np.testing.assert_allclose(batch[1], one, rtol=1e-5, atol=1e-5)


def test_positive_systems_with_one_matrix_for_all(x64):
    A, b = positive(), np.random.default_rng(1).normal(size=(5, 4, 2))
    made = jax.vmap(_linalg.solve_positive, in_axes=(None, 0))(A, b)
    np.testing.assert_allclose(made, np.linalg.solve(A[None], b), rtol=1e-10)


def test_derivatives_in_reverse_and_twice(x64):
    x = positive(3)
    for order in (jax.grad, jax.hessian):
        made = jax.vmap(order(lambda m: jnp.sum(_linalg.eigenvalues(m) ** 3)))(x)
        known = jax.vmap(order(lambda m: jnp.trace(m @ m @ m)))(x)
        symmetric = made + np.swapaxes(made, -1, -2), known + np.swapaxes(known, -1, -2)
        np.testing.assert_allclose(*symmetric, rtol=1e-8, atol=1e-10)


@pytest.mark.skipif(not _linalg._WAITING, reason="this jaxlib decomposes batches on one thread")
@pytest.mark.parametrize("shape", [(6, 4, 9), (6, 5, 4)])
def test_no_batch_reaches_a_kernel_that_waits(shape: tuple, x64):
    """Cross-validation of low-rank fits hung on two processors: a certificate's SVDs waited for each other."""
    lowered = jax.jit(jax.vmap(lambda x: jr.Nuclear().prox(x, 1.0))).lower(jnp.ones(shape)).as_text()
    calls = re.findall(r"custom_call @lapack_\w+\(.*?-> .*", lowered)
    assert calls and not any(f"tensor<{shape[0]}x" in call for call in calls)
