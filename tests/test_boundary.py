"""What enters through any public entry is used correctly or refused by name; nothing fails silently."""

from functools import partial

import jax
import numpy as np
import pytest
import scipy.sparse
from jax.experimental import sparse as jax_sparse

import jaxreg as jr
from jaxreg import _validate

SQUARED = jr.risk(jr.linear, jr.Squared())
N, P = 8, 3


def sample(dtype="float32") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P))
    return X.astype(dtype), (X @ np.array([1.0, -1.0, 0.0]) + 0.1 * rng.normal(size=N)).astype(dtype)


def minimize(data, weights=None):
    init = np.zeros(P, "float32")
    return jr.minimize(SQUARED, 0.1 * jr.L1(), init, data, weights, tol=1e-4).params


def path(data, weights=None):
    return jr.path(SQUARED, jr.L1(), data, strengths=[0.1], weights=weights, tol=1e-4).params[0]


def cross_validate(data, weights=None):
    return jr.cross_validate(SQUARED, jr.L1(), data, folds=2, strengths=[0.1], weights=weights, tol=1e-4).path.params[0]


def strength_max(data, weights=None):
    return jr.strength_max(SQUARED, jr.L1(), data, weights)


ENTRIES = {f.__name__: f for f in (minimize, path, cross_validate, strength_max)}
EACH = pytest.mark.parametrize("entry", ENTRIES)


def spoiled(which: int, value: float):
    data = sample()
    data[which].flat[4] = value
    return data


X, Y = sample()
REFUSED = {
    "not a pair": (X, None, TypeError, "expected a pair"),
    "triple": ((X, Y, Y), None, TypeError, "expected a pair"),
    "vector X": ((Y, Y), None, ValueError, r"X has shape \(8,\)"),
    "rows differ": ((X, Y[:-1]), None, ValueError, "to match X of shape"),
    "scalar y": ((X, np.float32(1.0)), None, ValueError, "y has shape"),
    "NaN in X": (spoiled(0, np.nan), None, ValueError, r"X has NaN or infinite entries in 1 row.*first in row 1"),
    "inf in y": (spoiled(1, np.inf), None, ValueError, r"y has NaN or infinite entries in 1 row.*first in row 4"),
    "no rows": ((X[:0], Y[:0]), None, ValueError, "empty"),
    "no features": ((X[:, :0], Y), None, ValueError, "empty"),
    "complex": ((X + 1j, Y), None, TypeError, "complex"),
    "text": ((X.astype(str), Y), None, TypeError, "dtype"),
    "objects": ((X.astype(object), Y), None, TypeError, "object"),
    "long double": ((X.astype(np.longdouble), Y), None, TypeError, "dtype"),
    "masked": ((np.ma.masked_less(X, 0), Y), None, TypeError, "masked"),
    "sparse target": ((X, scipy.sparse.csr_array(Y[None])), None, TypeError, "sparse"),
    "ragged list": (([[1.0], [1.0, 2.0]], [1.0, 2.0]), None, ValueError, "ragged"),
    "negative weight": ((X, Y), -np.eye(N, dtype="float32")[0], ValueError, "weights must be finite and >= 0"),
    "NaN weight": ((X, Y), np.full(N, np.nan, "float32"), ValueError, "weights must be finite"),
    "no weight": ((X, Y), np.zeros(N, "float32"), ValueError, "all weights are 0"),
    "weights differ": ((X, Y), np.ones(N - 1, "float32"), ValueError, "weights have shape"),
}


@EACH
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::jaxreg.PrecisionWarning")
def test_refused_by_name(entry: str, case: str):
    data, weights, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        ENTRIES[entry](data, weights)


def test_one_fit_wants_dense_features():
    for form in (scipy.sparse.csr_array, jax_sparse.BCOO.fromdense, jax_sparse.BCSR.fromdense):
        with pytest.raises(TypeError, match="X is a sparse array, expected a dense one"):
            minimize((form(X), Y))


def _frozen(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


ACCEPTED = {
    "big-endian": lambda X, y: (X.astype(">f4"), y.astype(">f4")),
    "read-only": lambda X, y: (_frozen(X), _frozen(y)),
    "fortran": lambda X, y: (np.asfortranarray(X), y),
    "strided": lambda X, y: (np.repeat(X, 2, 0)[::2], np.repeat(y, 2)[::2]),
    "lists": lambda X, y: (X.tolist(), y.tolist()),
    "jax": lambda X, y: (jax.numpy.asarray(X), jax.numpy.asarray(y)),
    "half target": lambda X, y: (X, y.astype("float64")),
}


@EACH
@pytest.mark.parametrize("form", ACCEPTED)
@pytest.mark.filterwarnings("ignore::jaxreg.PrecisionWarning")
def test_every_form_of_the_same_numbers_gives_the_same_answer(entry: str, form: str):
    expected = ENTRIES[entry](sample())
    made = ENTRIES[entry](ACCEPTED[form](*sample()))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["int64", "int8", "uint8", "bool"])
def test_whole_numbers_become_floats(kind: str, dtype: np.dtype):
    X, y = np.arange(24).reshape(N, P) % 5 > 1, np.arange(N) % 3
    X = X.astype(kind)
    made = minimize((X, y.astype(kind)))
    expected = minimize((X.astype(dtype), y.astype(kind).astype(dtype)))
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, expected)


@EACH
def test_a_row_of_weight_zero_may_hold_anything(entry: str):
    w = np.ones(N, "float32")
    w[1] = 0
    made = ENTRIES[entry](spoiled(0, np.nan), w)
    np.testing.assert_allclose(made, ENTRIES[entry]((np.delete(X, 1, 0), np.delete(Y, 1))), rtol=1e-3, atol=1e-4) if (
        entry != "cross_validate"
    ) else None
    assert np.isfinite(made).all()


@EACH
def test_constant_columns(entry: str):
    """A column of ones is a feature, one of zeros gets no weight."""
    data = (np.concatenate([X[:, :1], np.ones((N, 1), "float32"), np.zeros((N, 1), "float32")], 1), Y)
    made = np.asarray(ENTRIES[entry](data))
    assert np.isfinite(made).all()
    if made.ndim:
        assert made[2] == 0


@pytest.mark.parametrize("entry", ["minimize", "path", "strength_max"])
def test_one_row(entry: str):
    made = ENTRIES[entry]((X[:1], Y[:1]))
    assert np.isfinite(made).all()
    if entry == "strength_max":
        np.testing.assert_allclose(made, np.abs(X[0] * Y[0]).max(), rtol=1e-5)


@pytest.mark.parametrize("entry", ["minimize", "path"])
@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_extreme_units(entry: str, size: float):
    """Features and targets in other units, strengths to match: the same coefficients in float32."""
    scale = np.float32(size)
    risk, fit = SQUARED, partial(jr.minimize, on_fail="ignore", tol=1e-4)
    expected = fit(risk, 0.1 * jr.L1(), np.zeros(P, "float32"), (X, Y))
    made = fit(risk, 0.1 * size * jr.L1(), np.zeros(P, "float32"), (X, Y * scale))
    assert made.status == 0
    np.testing.assert_allclose(made.params / scale, expected.params, rtol=1e-2, atol=1e-3)


def test_constant_target_gives_zeros():
    assert not np.asarray(minimize((X, np.zeros(N, "float32")))).any()
    init = jr.linear_params((X, Y))
    sol = jr.minimize(SQUARED, 0.1 * jr.L1(), init, (X, np.full(N, 3, "float32")), tol=1e-4)
    np.testing.assert_allclose(sol.params["intercept"], 3, rtol=1e-5)
    assert not np.asarray(sol.params["coef"]).any() and sol.status == 0


def test_float64_without_the_64_bit_mode_says_so_once():
    code = (
        "import numpy as np, warnings, jaxreg as jr\n"
        "warnings.simplefilter('always')\n"
        "r, X = jr.risk(jr.linear, jr.Squared()), np.eye(2)\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    for _ in range(2): jr.minimize(r, 0.1 * jr.L1(), np.zeros(2), (X, np.ones(2)), tol=1e-4)\n"
        "print(sorted({w.category.__name__ for w in seen}), len(seen))\n"
    )
    import subprocess
    import sys

    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.split() == ["['PrecisionWarning']", "1"]


ARGUMENTS = {
    "risk": (lambda: jr.minimize(lambda w: w, jr.L1(), np.zeros(P), (X, Y)), TypeError, "risk is function"),
    "penalty": (lambda: jr.minimize(SQUARED, 0.1, np.zeros(P), (X, Y)), TypeError, "penalty is float"),
    "no leaves": (lambda: jr.minimize(SQUARED, jr.L1(), {}, (X, Y)), ValueError, "init has no leaves"),
    "NaN init": (lambda: jr.minimize(SQUARED, jr.L1(), np.full(P, np.nan, "f4"), (X, Y)), ValueError, "init has NaN"),
    "init shape": (lambda: jr.minimize(SQUARED, jr.L1(), np.zeros(P + 1, "f4"), (X, Y)), (TypeError, ValueError), None),
    "column y": (
        lambda: jr.minimize(SQUARED, jr.L1(), np.zeros(P, "f4"), (X, Y[:, None])),
        (TypeError, ValueError),
        None,
    ),
    "tol": (lambda: jr.minimize(SQUARED, jr.L1(), np.zeros(P, "f4"), (X, Y), tol=np.nan), ValueError, "tol is nan"),
    "labels": (
        lambda: jr.minimize(jr.risk(jr.linear, jr.Softmax()), jr.L1(), np.zeros((P, 2), "f4"), (X, Y)),
        TypeError,
        "integer class labels",
    ),
    "tasks": (
        lambda: jr.minimize(jr.multitask(SQUARED), jr.L1(), np.zeros((2, P), "f4"), (X, Y)),
        ValueError,
        r"jaxreg\.tasks",
    ),
    "NaN task": (
        lambda: jr.minimize(
            jr.multitask(SQUARED), jr.L1(), np.zeros((1, P), "f4"), tuple(a[None] for a in spoiled(0, np.nan))
        ),
        ValueError,
        "task 0, row 1",
    ),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_other_arguments_are_refused_by_name(case: str):
    call, error, message = ARGUMENTS[case]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_numbers_under_jit_are_a_status(value: float):
    """Tracers cannot be looked at: the answer is a status, never a converged number."""
    run = jax.jit(lambda X, y: jr.minimize(SQUARED, 0.1 * jr.L1(), np.zeros(P, "float32"), (X, y), tol=1e-4))
    for which in (0, 1):
        sol = run(*spoiled(which, value))
        assert sol.status == jr.Status.NONFINITE and np.isfinite(sol.params).all()


def test_later_changes_of_an_array_do_not_reach_the_library():
    buffer = np.empty(64 + 4 * 6, np.uint8)
    first = -buffer.ctypes.data % 64
    aligned = buffer[first : first + 24].view(np.float32).reshape(2, 3)
    aligned[:] = 1.0
    taken = _validate.array("test", "X", aligned)
    aligned[:] = 2.0
    assert (np.asarray(taken) == 1.0).all()


@pytest.mark.parametrize(
    "given, expected",
    [("float16", "float16"), ("float32", "float32"), ("float64", "float64"), (">f4", "float32"), ("int32", "float64")],
)
def test_linear_params_have_the_precision_of_the_data(given: str, expected: str, x64):
    params = jr.linear_params((np.ones((4, 2), given), np.ones(4)))
    assert params["coef"].dtype == expected and params["coef"].shape == (2,)
