"""Every penalty of the zoo under every law, in both precisions."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

import jaxreg as jr
import laws
import zoo
from jaxreg import Leafwise, Penalty

LAWS = [
    pytest.param(
        law, dtype, id=f"{law.__name__.removeprefix('law_')}-{dtype}", marks=[pytest.mark.slow] * (law in laws.SLOW)
    )
    for dtype in ("float32", "float64")
    for law in laws.LAWS
    if laws.ONCE.get(law, dtype) == dtype
]


@pytest.mark.parametrize(("law", "dtype"), LAWS, indirect=["dtype"])  # a member's laws share its compiled programs
@pytest.mark.parametrize("member", zoo.PENALTIES, ids=zoo.ids(zoo.PENALTIES))
def test_law(law: Callable, member: zoo.Member, dtype: np.dtype):
    law(member, dtype)


def test_the_zoo_holds_every_public_penalty_and_loss():
    shown = " ".join(repr(m.penalty) for m in zoo.PENALTIES) + " ".join(repr(m.loss) for m in zoo.LOSSES)
    members = [v for v in vars(jr).values() if isinstance(v, type) and issubclass(v, (Penalty, jr.Loss))]
    missing = [m.__name__ for m in members if f"{m.__name__}(" not in shown]
    bare = {jr.Composed}  # looks through a linear map: no prox for the laws, see solvers/test_splitting.py
    assert set(missing) <= {m.__name__ for m in (Penalty, Leafwise, jr.Loss, *bare)}
    solvers = {name for name, v in vars(jr).items() if isinstance(v, type) and {"init", "update"} <= set(vars(v))}
    assert set(zoo.SOLVERS) == solvers


@pytest.mark.parametrize("name", sorted(set(zoo.SOLVERS) - {"Optax"}))
def test_minimize_lowers_for_every_platform(name: str, dtype: np.dtype):
    member = next(m for m in zoo.PENALTIES if m.name == ("ridge" if name == "DampedNewton" else "l1"))
    risk, (X, y), init = zoo.problem(member, jr.Squared(), dtype)
    solver = zoo.SOLVERS[name](member.penalty, 0.1)

    def fit(strength, X, y):
        return jr.minimize(risk, strength * member.penalty, init, (X, y), solver=solver).params

    made = jax.export.export(jax.jit(fit), platforms=laws.PLATFORMS)(np.ones((), dtype), X, y)
    assert made.platforms == laws.PLATFORMS


@pytest.mark.parametrize(
    "solver",
    [
        *(jr.FISTA(), jr.FISTA(step=0.5), jr.DampedNewton(), jr.Newton(), jr.Newton(scale=10.0)),
        *(jr.ADMM(rho=2.0), jr.PDHG(), jr.PANOC()),
    ],
)
def test_a_solver_prints_as_it_is_written(solver):
    assert repr(eval(repr(solver), vars(jr).copy())) == repr(solver)
