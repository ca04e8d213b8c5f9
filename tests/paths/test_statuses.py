"""What paths say, under `jit`, of numbers that cannot be looked at beforehand."""

import jax
import numpy as np
import pytest

import jaxreg as jr

SQUARED, LOGISTIC = jr.risk(jr.linear, jr.Squared()), jr.risk(jr.linear, jr.Logistic())
rng = np.random.default_rng(0)
TALL, WIDE, TASKS = (rng.normal(size=shape) for shape in ((30, 5), (8, 12), (3, 12, 4)))


def noisy(x: np.ndarray) -> np.ndarray:
    """Targets that follow the first feature."""
    return x[..., 0] + 0.1 * rng.normal(size=x.shape[:-1])


CASES = {
    "moments": (SQUARED, jr.L1(), TALL, noisy(TALL)),
    "outputs": (SQUARED, jr.L2(axis=-1), TALL, TALL[:, :3]),
    "rows": (SQUARED, jr.L1(), WIDE, noisy(WIDE)),
    "tasks": (jr.multitask(SQUARED), jr.L2(axis=0), TASKS, noisy(TASKS)),
    "generic": (LOGISTIC, jr.L1(), TALL, np.where(noisy(TALL) > 0, 1.0, 0.0)),
}
BAD = {
    "none": (0, None, jr.Status.CONVERGED),
    "NaN feature": (0, np.nan, jr.Status.NONFINITE),
    "infinite feature": (0, np.inf, jr.Status.NONFINITE),
    "infinite target": (1, np.inf, jr.Status.NONFINITE),
    "NaN weight": (2, np.nan, jr.Status.INVALID_INPUT),
    "negative weight": (2, -0.5, jr.Status.INVALID_INPUT),
}


@pytest.mark.parametrize("case", CASES)
def test_every_cell_says_what_it_is(case: str, x64):
    """A NaN feature of least squares once had its directions dropped, and zeros came back as converged."""
    risk, penalty, X, y = CASES[case]
    init = jr.linear_params((X, y), intercept=False)

    @jax.jit
    def fit(X, y, w):
        return jr.path(risk, penalty, (X, y), strengths=np.array([0.5, 0.1, 0.01]), weights=w, init=init)

    for which, value, status in BAD.values():
        given = [a.copy() for a in (X, y, np.ones(y.shape[: X.ndim - 1]))]
        if value is not None:
            given[which].flat[1] = value
        sol = fit(*given)
        assert np.asarray(sol.status).tolist() == [status] * 3 and np.isfinite(sol.params).all()
