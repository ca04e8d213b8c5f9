"""Tests of the tests: penalties that are wrong on purpose must break the laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxreg as jr
import laws
from members._member import MATRIX, VECTOR, Member


class _L1(jr.Leafwise):
    """A right L1, to be spoiled one method at a time."""

    homogeneous = gauge = elementwise = metric = dualisable = True

    def leaf_terms(self, x):
        return x * jnp.sign(x)

    def leaf_prox(self, x, step):
        return jnp.sign(x) * jnp.maximum(x * jnp.sign(x) - step, 0.0)

    def leaf_dual_terms(self, u):
        return jnp.abs(u)


class _Ridge(jr.Leafwise):
    """A right Ridge, to be spoiled one method at a time."""

    elementwise = quadratic = metric = dualisable = smooth = True

    def leaf_terms(self, x):
        return 0.5 * jnp.square(x)

    def leaf_prox(self, x, step):
        return x / (1.0 + step)

    def leaf_conjugate(self, u):
        return 0.5 * jnp.sum(jnp.square(u))

    def leaf_quadratic(self, x):
        return jnp.ones((), x.dtype), jnp.zeros_like(x)


@jr.pytree
class RightL1(_L1):
    pass


@jr.pytree
class RightRidge(_Ridge):
    pass


@jr.pytree
class OffByFactor(_L1):
    def leaf_prox(self, x, step):
        return super().leaf_prox(x, 2 * step)


@jr.pytree
class HalfRidge(_Ridge):
    """The prox of ‖x‖² beside the value ½‖x‖²."""

    def leaf_prox(self, x, step):
        return x / (1.0 + 2.0 * step)


@jr.pytree
class HardThreshold(_L1):
    def leaf_prox(self, x, step):
        return jnp.where(jnp.abs(x) > step, x, 0.0)


@jr.pytree
class OffByAbsolute(_L1):
    """A step with a floor: right for one step only."""

    def leaf_prox(self, x, step):
        return super().leaf_prox(x, step + 1e-3)


@jr.pytree
class WrongDual(_L1):
    def leaf_dual_terms(self, u):
        return 0.5 * jnp.abs(u)


@jr.pytree
class WrongConjugate(_Ridge):
    def leaf_conjugate(self, u):
        return jnp.sum(jnp.square(u))


@jr.pytree
class WideConjugate(_L1):
    """Half the polar ball."""

    def leaf_conjugate(self, u):
        return super().leaf_conjugate(2.0 * u)


@jr.pytree
class WrongScaling(_L1):
    """A value that is not what the strength multiplies."""

    def leaf_prox(self, x, step):
        return super().leaf_prox(x, jnp.sqrt(jnp.asarray(step, x.dtype)))


@jr.pytree
class UnguardedNorm(jr.Leafwise):
    """A norm whose gradient at zero is NaN."""

    homogeneous = gauge = radial = True

    def leaf_terms(self, x):
        return jnp.sqrt(jnp.sum(jnp.square(x), 0, keepdims=True))

    def leaf_prox(self, x, step):
        return x * jnp.maximum(1 - step / jnp.maximum(self.leaf_terms(x), 1e-30), 0)


@jr.pytree
class LocalMCP(jr.Leafwise):
    """Firm thresholding for every step: from step = gamma on a stationary point, not the minimiser."""

    convex = False
    elementwise = metric = True

    def leaf_terms(self, x):
        near = jnp.minimum(jnp.abs(x), 3.0)
        return near - near**2 / 6

    def leaf_prox(self, x, step):
        shrunk = jnp.sign(x) * jnp.maximum(jnp.abs(x) - step, 0.0)
        return jnp.where(jnp.abs(x) > 3.0, x, jnp.where(step < 3, shrunk / (1 - jnp.minimum(step / 3, 0.999)), 0.0 * x))


@jr.pytree
class Downcast(_L1):
    def prox(self, params, step=1.0):
        return super().prox(params, step).astype(jnp.float16)


@jr.pytree
class Leaky(_L1):
    """Penalises intercepts too."""

    def parts(self, names, named=False):
        return tuple(self for _ in names)


@jr.pytree
class Retraced(_L1):
    strength: float = jr.static(default=1.0)

    def __rmul__(self, strength):
        return Retraced(float(strength))


@jr.pytree
class SoftAtInfinity(_Ridge):
    """Infinity taken for a finite step."""

    def leaf_prox(self, x, step):
        return super().leaf_prox(x, jnp.where(jnp.isinf(step), 10.0, step))


@jr.pytree
class Overflowing(_L1):
    """Right in its middle range only."""

    def leaf_prox(self, x, step):
        z = super().leaf_prox(x, step)
        return (jnp.abs(z) ** 64) ** (1 / 64) * jnp.sign(z)


@jr.pytree
class Comparing(_L1):
    """`max` by comparison: a NaN becomes 0."""

    def leaf_prox(self, x, step):
        return jnp.where(jnp.abs(x) > step, super().leaf_prox(x, step), 0.0)


@jr.pytree
class Bounded(_L1):
    """An infinite entry becomes the largest finite number."""

    def leaf_prox(self, x, step):
        return super().leaf_prox(jnp.nan_to_num(x, nan=jnp.nan), step)


@jr.pytree
class Widening(_L1):
    def prox(self, params, step=1.0):
        return super().prox(jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(float)), params), step)


@jr.pytree
class OneForEmpty(_L1):
    def leaf_value(self, x):
        return super().leaf_value(x) + (x.size == 0)


CAUGHT = (
    (OffByFactor(), VECTOR, laws.law_argmin),
    (OffByAbsolute(), VECTOR, laws.law_argmin),
    (HalfRidge(), VECTOR, laws.law_argmin),
    (HalfRidge(), VECTOR, laws.law_envelope),
    (HalfRidge(), VECTOR, laws.law_dual),
    (HardThreshold(), VECTOR, laws.law_firm),
    (WrongDual(), VECTOR, laws.law_dual),
    (WrongConjugate(), VECTOR, laws.law_dual),
    (WideConjugate(), VECTOR, laws.law_dual),
    (WrongScaling(), VECTOR, laws.law_argmin),
    (LocalMCP(), VECTOR, laws.law_argmin),
    (UnguardedNorm(), MATRIX, laws.law_gradients),
    (Downcast(), VECTOR, laws.law_transforms),
    (Leaky(), VECTOR, laws.law_trees),
    (Retraced(), VECTOR, laws.law_one_trace),
    (SoftAtInfinity(), VECTOR, laws.law_ends),
    (Overflowing(), VECTOR, laws.law_sizes),
    (Comparing(), VECTOR, laws.law_nan),
    (Bounded(), VECTOR, laws.law_infinite),
    (Widening(), VECTOR, laws.law_leaves),
    (OneForEmpty(), VECTOR, laws.law_leaves),
)


@pytest.mark.parametrize(("penalty", "form", "law"), CAUGHT, ids=lambda v: getattr(v, "__name__", type(v).__name__))
def test_a_planted_error_is_caught(penalty: jr.Penalty, form: tuple, law, dtype: np.dtype):
    with pytest.raises(AssertionError):
        law(Member("planted", penalty, form), dtype)


@pytest.mark.parametrize("penalty", [RightL1(), RightRidge()], ids=repr)
@pytest.mark.parametrize(
    "law",
    [
        *(laws.law_argmin, laws.law_scaling, laws.law_firm, laws.law_moreau, laws.law_envelope, laws.law_dual),
        *(laws.law_ends, laws.law_sizes, laws.law_nan, laws.law_infinite, laws.law_low_precision, laws.law_leaves),
    ],
)
def test_the_same_law_passes_what_is_right(penalty: jr.Penalty, law, dtype: np.dtype):
    law(Member("right", penalty, VECTOR), dtype)


def test_a_wrong_gap_is_caught(x64):
    """Half the polar ball is no certificate: the gap stays away from zero."""
    member = Member("wide", WrongDual(), VECTOR)
    with pytest.raises(AssertionError):
        laws.law_certificate(member, np.dtype("float64"))


def test_a_repr_that_does_not_eval_back_is_caught(x64):
    with pytest.raises(NameError):
        laws.law_repr(Member("unknown", OffByFactor(), VECTOR), np.dtype("float64"))
