"""Every loss of the zoo: closed forms, derivatives, brute-force conjugates and proxes, extreme scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxreg as jr
import laws
import zoo
from oracles import cox

NAMED = [m for m in zoo.LOSSES if m.name != "plain"]
ELEMENTWISE = [m for m in NAMED if m.loss.separable and not m.loss.paired]
WITH_DUAL = [m for m in ELEMENTWISE if m.loss.dual]
WITH_PROX = [m for m in ELEMENTWISE if m.loss.proximable]
ALL = pytest.mark.parametrize("member", zoo.LOSSES, ids=zoo.ids(zoo.LOSSES))
EACH = pytest.mark.parametrize("member", NAMED, ids=zoo.ids(NAMED))
LOG_LINK = ("poisson", "gamma", "tweedie", "tweedie-poisson", "tweedie-gamma", "offset")
LOG_LINKS = [m for m in zoo.LOSSES if m.name in LOG_LINK]


def sample(member: zoo.LossMember, dtype: np.dtype, n: int = 5, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = member.targets(rng, n, k)
    z = member.scores(rng.normal(size=(n, k)).astype(dtype))
    return z, y if y.dtype.kind == "i" else y.astype(dtype)


def softmax(z, p):
    return np.log(np.exp(z).sum(-1)) - (z * p).sum(-1)


def ordinal(z, y):
    survival = np.hstack([np.ones((len(z), 1)), 1 / (1 + np.exp(-z)), np.zeros((len(z), 1))])
    return -np.log(survival[np.arange(len(z)), y] - survival[np.arange(len(z)), y + 1])


def margin(z, y):
    return (2 * y - 1) * z


CLOSED = {
    "squared": lambda z, y: 0.5 * (z - y) ** 2,
    "huber": lambda z, y: np.where(abs(z - y) <= 1, 0.5 * (z - y) ** 2, abs(z - y) - 0.5),
    "huber-half": lambda z, y: np.where(abs(z - y) <= 0.5, 0.5 * (z - y) ** 2, 0.5 * (abs(z - y) - 0.25)),
    "logistic": lambda z, y: np.log1p(np.exp(z)) - y * z,
    "poisson": lambda z, y: np.exp(z) - y * z,
    "plain": lambda z, y: np.sqrt(1 + (z - y) ** 2) - 1,
    "absolute": lambda z, y: abs(z - y),
    "quantile": lambda z, y: np.where(y > z, 0.3 * (y - z), 0.7 * (z - y)),
    "epsilon-insensitive": lambda z, y: np.maximum(abs(z - y) - 0.1, 0),
    "hinge": lambda z, y: np.maximum(1 - margin(z, y), 0),
    "squared-hinge": lambda z, y: np.maximum(1 - margin(z, y), 0) ** 2,
    "smooth-hinge": lambda z, y: np.select(
        [margin(z, y) >= 1, margin(z, y) >= 0.5], [0, (1 - margin(z, y)) ** 2], 0.75 - margin(z, y)
    ),
    "gamma": lambda z, y: z + y / np.exp(z),
    "tweedie": lambda z, y: 2 * np.exp(z / 2) + 2 * y * np.exp(-z / 2) - 1.5 * (1 + y),
    "tweedie-poisson": lambda z, y: np.exp(z) - y * z,
    "tweedie-gamma": lambda z, y: z + y / np.exp(z),
    "negative-binomial": lambda z, y: (y + 2) * np.log1p(0.5 * np.exp(z)) - y * z,
    "offset": lambda z, y: np.exp(z + y[..., 1]) - y[..., 0] * (z + y[..., 1]),
    "label-smoothing-binary": lambda z, y: np.log1p(np.exp(z)) - (0.8 * y + 0.1) * z,
}
WHOLE = {
    "softmax": lambda z, y: softmax(z, np.eye(3)[y]),
    "label-smoothing": lambda z, y: softmax(z, 0.8 * np.eye(3)[y] + 0.2 / 3),
    "ordinal": ordinal,
    "cox-efron": lambda z, y: cox(z, y, "efron"),
    "cox-breslow": lambda z, y: cox(z, y, "breslow"),
}


@ALL
def test_value_is_the_closed_form_summed_over_outputs(member: zoo.LossMember, dtype: np.dtype):
    z, y = sample(member, dtype)
    made = jax.jit(member.loss)(z, y)
    assert made.shape == (5,) and made.dtype == dtype
    wide, target = z.astype(float), y if y.dtype.kind == "i" else y.astype(float)
    expected = WHOLE[member.name](wide, target) if member.name in WHOLE else CLOSED[member.name](wide, target).sum(-1)
    np.testing.assert_allclose(made, expected, rtol=20 * np.finfo(dtype).eps, atol=10 * np.finfo(dtype).eps)
    if member.loss.rowwise:
        alone = jax.jit(jax.vmap(lambda a, b: member.loss(a[None], b[None])[0]))(z, y)
        np.testing.assert_allclose(made, alone, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@EACH
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_short_floats_are_kept(member: zoo.LossMember, half: str):
    short = jnp.dtype(half)
    z, y = sample(member, np.dtype("float32"))
    z, y = z.astype(short), y if y.dtype.kind == "i" else y.astype(short)
    made = jax.jit(jax.value_and_grad(lambda z: jnp.sum(member.loss(z, y))))(z)
    assert made[0].dtype == short and made[1].dtype == short
    wide = jnp.sum(member.loss(z.astype("float32"), y if y.dtype.kind == "i" else y.astype("float32")))
    np.testing.assert_allclose(float(made[0]), float(wide), rtol=60 * float(jnp.finfo(short).eps))
    if member.loss.proximable:
        assert jax.jit(lambda z: member.loss.prox(z, y, 0.5))(z).dtype == short


@EACH
def test_gradients(member: zoo.LossMember, x64):
    z, y = sample(member, np.dtype("float64"))
    total = jax.jit(lambda z: jnp.sum(member.loss(z, y)))
    check_grads(total, (z,), order=2, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6)


@EACH
def test_gradients_are_finite_at_kinks_and_ties(member: zoo.LossMember, dtype: np.dtype):
    """At the target, at the margin, at zero and at equal scores, with respect to the loss's own parameters too."""
    for z in (0.0, 1.0, 0.1, -1.0):
        for y in (0.0, 1.0):
            scores = member.scores(np.full((4, 3), z, dtype))
            target = sample(member, dtype, 4)[1]
            target = target if member.loss.labels or member.loss.paired else np.full((4, 3), y, dtype)
            leaves = jax.tree.map(lambda x: jnp.asarray(x, dtype), member.loss)
            grads = jax.grad(lambda z, loss, t=target: jnp.sum(loss(z, t)), (0, 1))(scores, leaves)
            assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def _targets_of(member: zoo.LossMember) -> tuple[float, ...]:
    return (0.5, 2.0) if member.targets is zoo._positive else (0.0, 1.0)


@pytest.mark.parametrize("member", WITH_DUAL, ids=zoo.ids(WITH_DUAL))
def test_conjugate_is_the_supremum(member: zoo.LossMember, x64):
    """sup_z d z - ℓ(z, y) over a fine grid, at slopes that the loss attains."""
    grid = np.linspace(-30, 30, 600_001)
    for y in _targets_of(member):
        values = np.asarray(member.loss(grid, np.full_like(grid, y)))
        for z in (-1.3, 0.2, 1.1):
            d = float(jax.grad(lambda z, y=y: member.loss(z, y))(z))
            assert abs(float(member.loss.conjugate(jnp.asarray(d), y)) - np.max(d * grid - values)) < 1e-7
            inner = 0.7 * d
            if member.loss.curvature is None and member.loss.smooth:
                continue
            assert abs(float(member.loss.conjugate(jnp.asarray(inner), y)) - np.max(inner * grid - values)) < 1e-7


@pytest.mark.parametrize("loss", [jr.Softmax(), jr.label_smoothing(jr.Softmax(), 0.3)], ids=repr)
def test_the_conjugate_of_softmax_is_attained_at_its_gradient(loss: jr.Loss, x64):
    rng = np.random.default_rng(0)
    z, rivals, y = rng.normal(size=(4, 3)), rng.normal(size=(50, 4, 3)) * 3, np.array([0, 1, 2, 1])
    d = np.asarray(jax.jit(jax.grad(lambda z: jnp.sum(loss(z, y))))(z))
    star = np.asarray(loss.conjugate(jnp.asarray(d), y))
    np.testing.assert_allclose(star, np.sum(d * z, -1) - loss(z, y), rtol=1e-10)
    values = np.asarray(jax.jit(jax.vmap(loss, (0, None)))(rivals, y))
    assert np.all(star >= np.sum(d * rivals, -1) - values - 1e-12)


@pytest.mark.parametrize(
    ("loss", "dual", "target"),
    [
        (jr.Logistic(), 1.5, 0.0),
        (jr.Logistic(), 0.2, 1.0),
        (jr.Huber(0.5), 0.6, 0.0),
        (jr.Poisson(), -1.5, 1.0),
        (jr.Softmax(), [[0.5, 0.2]], [0]),
        (jr.Absolute(), 1.1, 0.0),
        (jr.Quantile(0.3), 0.8, 0.0),
        (jr.Quantile(0.3), -0.4, 0.0),
        (jr.EpsilonInsensitive(0.1), -1.1, 0.0),
        (jr.Hinge(), 0.2, 1.0),
        (jr.Hinge(), 1.2, 0.0),
        (jr.SquaredHinge(), -0.2, 0.0),
        (jr.SmoothHinge(), -1.2, 1.0),
        (jr.Gamma(), 1.2, 2.0),
        (jr.NegativeBinomial(0.5), -1.2, 1.0),
        (jr.NegativeBinomial(0.5), 2.2, 1.0),
        (jr.label_smoothing(jr.Logistic(), 0.2), 0.2, 1.0),
    ],
    ids=repr,
)
def test_a_conjugate_is_infinite_outside_its_domain(loss: jr.Loss, dual, target, dtype: np.dtype):
    assert np.isposinf(loss.conjugate(jnp.asarray(dual, dtype), jnp.asarray(target)).item())


@EACH
def test_curvature_bounds_the_hessian(member: zoo.LossMember, x64):
    if member.loss.curvature is None:
        return
    rng = np.random.default_rng(0)
    z, y = 3 * rng.normal(size=(40, 1, 3)), sample(member, np.dtype("float64"), 1)[1]
    z[0] = 0.0
    hessian = jax.jit(jax.vmap(jax.hessian(lambda z: jnp.sum(member.loss(z, y)))))(z).reshape(40, 3, 3)
    top = np.linalg.eigvalsh(hessian).max()
    assert top <= member.loss.curvature * (1 + 1e-12)
    if member.loss.separable:
        assert top > 0.99 * member.loss.curvature


@pytest.mark.parametrize("member", WITH_PROX, ids=zoo.ids(WITH_PROX))
def test_prox_is_the_argmin(member: zoo.LossMember, dtype: np.dtype):
    """Against ternary search in float64, over scores and steps of every size."""
    rng = np.random.default_rng(0)
    y = member.targets(rng, 6, 40)
    z = (10.0 ** rng.uniform(-2, 1.5, (6, 40)) * rng.normal(size=(6, 40))).astype(dtype)
    step = 10.0 ** rng.uniform(-3, 2, (6, 40)).astype(dtype)
    made = np.asarray(jax.jit(member.loss.prox)(z, y.astype(dtype), step))
    assert made.shape == z.shape and made.dtype == dtype
    with jax.enable_x64(True):
        wide = jax.jit(lambda u: jax.vmap(jax.vmap(member.loss))(u, y.astype(dtype).astype(float)))
        low, high = -2e3 * np.ones(z.shape), 2e3 * np.ones(z.shape)
        for _ in range(140):
            a, b = low + (high - low) / 3, high - (high - low) / 3
            left, right = (step * np.asarray(wide(u)) + 0.5 * (u - z.astype(float)) ** 2 for u in (a, b))
            worse = (left > right) | ~np.isfinite(left)
            low, high = np.where(worse, a, low), np.where(worse, high, b)
    scale = np.maximum(np.abs(z), np.abs(made)) + 1
    atol = 1e-6 if dtype == np.float64 else 2e-5
    assert np.max(np.abs(made - 0.5 * (low + high)) / scale) < atol


PROXIMABLE = [m for m in NAMED if m.loss.proximable]


@pytest.mark.parametrize("member", PROXIMABLE, ids=zoo.ids(PROXIMABLE))
def test_prox_satisfies_its_optimality_condition(member: zoo.LossMember, dtype: np.dtype):
    """No competitor near or far does better; step 0 moves nothing; a NaN stays."""
    rng = np.random.default_rng(1)
    z, y = sample(member, dtype)
    prox = jax.jit(lambda z, step: member.loss.prox(z, y, step))

    @jax.jit
    def objectives(us, step):
        return jax.vmap(lambda u: jnp.sum(step * member.loss(u, y)) + 0.5 * jnp.sum(jnp.square(u - z)))(us)

    for step in (1e-2, 1.0, 30.0):
        u = np.asarray(prox(z, np.asarray(step, dtype)))
        sizes = np.append(0.0, np.repeat([1e-3, 1e-1, 1.0], 20)).reshape(-1, 1, 1)
        best, *rivals = objectives((u + sizes * rng.normal(size=(61, *u.shape))).astype(dtype), np.asarray(step, dtype))
        assert min(rivals) >= best - 30 * np.finfo(dtype).eps * (1 + abs(best))
    np.testing.assert_allclose(prox(z, np.zeros((), dtype)), z, rtol=4 * np.finfo(dtype).eps)
    bad = z.copy()
    bad[0, 0] = np.nan
    moved = np.asarray(prox(bad, np.ones((), dtype)))
    assert np.isnan(moved[0, 0]) and np.isfinite(moved[1:]).all()


@pytest.mark.parametrize("member", PROXIMABLE, ids=zoo.ids(PROXIMABLE))
def test_prox_has_derivatives_and_batches(member: zoo.LossMember, x64):
    z, y = sample(member, np.dtype("float64"))
    steps = np.array([0.3, 2.0])
    leaves = jax.tree.map(jnp.asarray, member.loss)
    check_grads(
        lambda z, s, loss: loss.prox(z, y, s), (z, jnp.asarray(0.7), leaves), order=2, modes=("fwd", "rev"), rtol=1e-5
    )
    batch = jax.jit(jax.vmap(lambda s: member.loss.prox(z, y, s)))(steps)
    for s, u in zip(steps, batch, strict=True):
        np.testing.assert_allclose(u, member.loss.prox(z, y, s), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("member", PROXIMABLE, ids=zoo.ids(PROXIMABLE))
def test_prox_at_extreme_scores(member: zoo.LossMember, dtype: np.dtype):
    """Scores of ±1e4 and steps of 1e±4: finite, between the score and where the loss is least, derivative in [0, 1]."""
    y = sample(member, dtype, 4)[1]
    z = 1e4 * np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1], [0, 0, -1]], dtype)
    for step in (1e-4, 1.0, 1e4):
        moved = jax.jit(lambda z, s=step: jax.jvp(lambda z: member.loss.prox(z, y, s), (z,), (jnp.ones_like(z),)))(z)
        assert np.isfinite(moved[0]).all() and np.isfinite(moved[1]).all()
        if member.loss.separable:
            assert (moved[1] >= 0).all() and (moved[1] <= 1 + 1e-6).all()


@ALL
def test_extreme_scores_stay_finite(member: zoo.LossMember, dtype: np.dtype):
    """Scores of ±1e4: values and slopes are finite, except means of a log link, which overflow honestly."""
    size = 80.0 if member.name in LOG_LINK else 1e4
    y = sample(member, dtype, 4)[1]
    z = member.scores(size * np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1], [0, 0, -1]], dtype))
    value, slope = jax.jit(jax.value_and_grad(lambda z: jnp.sum(member.loss(z, y))))(z)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize("member", LOG_LINKS, ids=zoo.ids(LOG_LINKS))
def test_means_of_a_log_link_overflow_to_the_right_side(member: zoo.LossMember):
    """Scores of ±1e4 in float32: no NaN, and the slope has the sign of the mean less a positive target."""
    y = np.array(sample(member, np.dtype("float32"), 4)[1])
    y[..., 0] = np.maximum(y[..., 0], 1)
    for side in (1, -1):
        z = np.full((4, 3), side * 1e4, "float32")
        y_of = y if member.loss.paired else np.maximum(y, 1)
        value, slope = jax.jit(jax.vjp, static_argnums=0)(lambda z, y=y_of: member.loss(z, y), z)
        slope = slope(jnp.ones_like(value))[0]
        assert not np.isnan(value).any() and (np.sign(slope) == side).all()


@EACH
def test_nan_in_nan_out(member: zoo.LossMember, dtype: np.dtype):
    z, y = sample(member, dtype)
    bad = z.copy()
    bad.flat[0] = np.nan
    assert np.isnan(member.loss(bad, y)[0])
    if y.dtype.kind == "f":
        spoiled = y.copy()
        spoiled.flat[0] = np.nan
        assert np.isnan(member.loss(z, spoiled)[0])


@EACH
def test_lowers_for_every_platform(member: zoo.LossMember, dtype: np.dtype):
    z, y = sample(member, dtype)

    def both(z, y):
        moved = member.loss.prox(z, y, 0.5) if member.loss.proximable else z
        return member.loss(z, y), moved

    assert jax.export.export(jax.jit(both), platforms=laws.PLATFORMS)(z, y).platforms == laws.PLATFORMS


def test_logistic_is_exact_at_extreme_scores():
    z = np.array([1e4, -1e4, 1e4, -1e4], "float32")
    np.testing.assert_array_equal(jr.Logistic()(z, np.array([1, 0, 0, 1], "float32")), [0, 0, 1e4, 1e4])
    np.testing.assert_array_equal(
        jax.grad(lambda z: jnp.sum(jr.Logistic()(z, np.array([1, 0, 0, 1], "float32"))))(z), [0, 0, 1, -1]
    )
    assert np.isposinf(jr.Poisson()(np.float32(1e4), 1.0))


@EACH
def test_repr_evals_back(member: zoo.LossMember):
    assert repr(eval(repr(member.loss), vars(jr).copy())) == repr(member.loss)


BAD_PARAMETERS = [
    jr.Huber(0.0),
    jr.Quantile(1.0),
    jr.Quantile(np.nan),
    jr.EpsilonInsensitive(-0.1),
    jr.SmoothHinge(0.0),
    jr.Tweedie(0.5),
    jr.Tweedie(2.5),
    jr.NegativeBinomial(0.0),
    jr.label_smoothing(jr.Logistic(), 1.5),
    jr.offset(jr.Huber(-1.0)),
]


@pytest.mark.parametrize("loss", BAD_PARAMETERS, ids=repr)
def test_parameters_out_of_range_are_refused(loss: jr.Loss):
    target = np.zeros((3, 2) if loss.paired else 3, "float32")
    with pytest.raises(ValueError, match=r"expected (0|1)"):
        jr.minimize(jr.risk(jr.linear, loss), jr.L1(), np.zeros(2, "f4"), (np.ones((3, 2), "f4"), target))


BAD_TARGETS = [
    (jr.Logistic(), -1.0),
    (jr.Hinge(), -1.0),
    (jr.SquaredHinge(), 0.5),
    (jr.SmoothHinge(), 2.0),
    (jr.Poisson(), -1.0),
    (jr.Gamma(), 0.0),
    (jr.Tweedie(), -0.1),
    (jr.Tweedie(2.0), 0.0),
    (jr.NegativeBinomial(), -1.0),
    (jr.Softmax(), -1),
    (jr.Ordinal(), -1),
    (jr.Cox(), (1.0, 2.0)),
    (jr.offset(jr.Poisson()), (-1.0, 0.0)),
]


@pytest.mark.parametrize(("loss", "bad"), BAD_TARGETS, ids=repr)
def test_targets_that_a_loss_is_not_made_for_are_refused(loss: jr.Loss, bad):
    """By name, and only in rows that count."""
    y = np.ones((3, *np.shape(bad)), np.asarray(bad).dtype if loss.labels else "float32")
    y[1] = bad
    X, init = np.ones((3, 2), "float32"), np.zeros((2, 3) if isinstance(bad, int) else 2, "float32")
    risk = jr.risk(jr.linear, loss)
    with pytest.raises(ValueError, match=r"not made for in 1 row\(s\) that count, first .* in row 1; expected"):
        jr.minimize(risk, jr.Ridge(), init, (X, y))
    if loss.smooth and not isinstance(loss, jr.Ordinal):
        kept = jr.minimize(risk, jr.Ridge(), init, (X, y), np.array([1, 0, 1], "f4"), tol=1e-3, on_fail="ignore")
        assert np.isfinite(kept.params).all()


NONSMOOTH = [m for m in NAMED if not m.loss.smooth]


@pytest.mark.parametrize("member", NONSMOOTH, ids=zoo.ids(NONSMOOTH))
def test_a_loss_without_gradient_names_the_solvers_that_serve_it(member: zoo.LossMember):
    """Exactly the losses with a kink: elsewhere one-sided slopes agree. The default solver serves them."""
    y = member.targets(np.random.default_rng(0), 6, 1)[:, 0].astype("float32")
    risk, data = jr.risk(jr.linear, member.loss), (np.ones((6, 2), "f4"), y)
    with pytest.raises(TypeError, match=r"use solver=jr\.PDHG\(\) or jr\.ADMM\(\)"):
        jr.minimize(risk, jr.L1(), np.zeros(2, "f4"), data, solver=jr.FISTA())
    assert jr.minimize(risk, jr.L1(), np.zeros(2, "f4"), data, tol=1e-3).status == jr.Status.CONVERGED


@pytest.mark.parametrize("member", ELEMENTWISE, ids=zoo.ids(ELEMENTWISE))
def test_smooth_is_what_it_says(member: zoo.LossMember, x64):
    """The slope jumps by no more than the grid allows, or the loss says that it has kinks."""
    grid = np.linspace(-3, 3, 60_001) + 1e-7
    y = _targets_of(member)[1]
    slope = np.asarray(jax.vmap(jax.grad(lambda z: member.loss(z, y)))(grid))
    assert (np.max(np.abs(np.diff(slope))) < 0.02) == member.loss.smooth


def test_a_loss_of_the_wrong_shape_is_named():
    risk = jr.risk(jr.linear, lambda z, y: jnp.sum(jnp.square(z - y)))
    with pytest.raises(ValueError, match="one number per example"):
        risk(np.zeros(2, "float32"), (np.ones((3, 2), "float32"), np.ones(3, "float32")))
    with pytest.raises(TypeError, match="two functions"):
        jr.risk(jr.linear, 3)
    with pytest.raises(TypeError, match="states no conjugate"):
        zoo.LOSSES[-1].loss.conjugate(np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match="states no prox"):
        zoo.LOSSES[-1].loss.prox(np.ones(3), np.ones(3), 1.0)
