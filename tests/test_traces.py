"""Compilation is paid once: many strengths, weights and folds share one trace."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr

CALLS = []


@jr.pytree
class Counted(jr.Squared):
    """Squared loss that notes every trace through it."""

    def __call__(self, prediction, target):
        CALLS.append(1)
        return super().__call__(prediction, target)


RISK = jr.risk(jr.linear, Counted())
SPELLINGS = (1, 0.5, np.float32(0.4), np.float64(0.3), jnp.asarray(0.2), np.array(0.1))


def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3)).astype("float32")
    return X, X[:, 0]


def traces(call) -> int:
    CALLS.clear()
    call()
    return len(CALLS)


@pytest.mark.parametrize("solver", [jr.FISTA(), jr.Newton()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("make", [lambda s: s * jr.L1(), lambda s: s * (0.5 * jr.L1() + jr.Ridge())], ids=["l1", "net"])
def test_six_spellings_of_a_strength_are_one_trace(solver, make):
    data, init = sample(), np.zeros(3, "float32")

    def fit(strength):
        jr.minimize(RISK, make(strength), init, data, solver=solver, tol=1e-4)

    first, *later = (traces(lambda s=s: fit(s)) for s in SPELLINGS)
    boundary = later[0]  # the shapes are checked once per call, without compiling
    assert first > boundary and set(later) == {boundary} and boundary <= 1


def test_weights_data_tolerance_and_start_are_one_trace():
    X, y = sample()

    def fit(w, start, tol, scale):
        jr.minimize(RISK, 0.1 * jr.L1(), np.full(3, start, "float32"), (scale * X, y), w, tol=tol)

    fit(np.ones(12, "float32"), 0.0, 1e-4, 1)
    for args in ((np.arange(12), 1.0, 1e-3, 2), ([1.0] * 12, 0.5, np.float64(1e-4), np.float32(3))):
        assert traces(lambda a=args: fit(*a)) <= 1


def test_paths_and_folds_are_one_trace():
    X, y = sample()

    def run(strengths, masks):
        jr.path(RISK, jr.L1(), (X, y), strengths=strengths, tol=1e-4)
        jr.cross_validate(RISK, jr.L1(), (X, y), folds=masks, strengths=strengths, tol=1e-4)

    run([1.0, 0.1], jr.kfold(12, 3))
    rng = np.random.default_rng(0)
    for strengths in ((2, 1), np.array([0.3, 0.2]), jnp.array([0.5, 0.1])):
        assert traces(lambda s=strengths: run(s, jr.kfold(12, 3)[:, rng.permutation(12)])) <= 2
