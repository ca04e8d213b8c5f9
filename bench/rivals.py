"""Other libraries' proxes of the same penalties; a library that is not installed has none."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

STRENGTH, RIDGE, STEP, RADIUS, GROUP, MCP_GAMMA, SCAD_GAMMA = 0.7, 0.5, 0.5, 1.0, 10, 3.0, 3.7

Prox = Callable[[Any], Any]


class Rival(NamedTuple):
    """`proxes[penalty](shape)` is its prox for one problem of that shape; `batched` if it is traced by JAX."""

    name: str
    version: str
    batched: bool
    proxes: dict[str, Callable[[tuple[int, ...]], Prox]]


def slope_weights(size: int) -> np.ndarray:
    """Weights of the sorted norm, from strong to weak."""
    return STRENGTH * np.linspace(1.0, 0.1, size)


def rivals() -> tuple[list[Rival], list[str]]:
    """Those that are installed, and the names of those that are not."""
    makers = {"jaxopt": _jaxopt, "pyproximal": _pyproximal, "skglm": _skglm}
    found, missing = [], []
    for name, make in makers.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # jaxopt announces its end, others their dependencies'
                found.append(Rival(name, importlib.metadata.version(name), *make()))
        except ImportError:
            missing.append(name)
    return found, missing


def _jaxopt() -> tuple[bool, dict[str, Callable[[tuple[int, ...]], Prox]]]:
    from jaxopt import projection, prox

    return True, {
        "L1": lambda shape: lambda x: prox.prox_lasso(x, STRENGTH, STEP),
        "elastic net": lambda shape: lambda x: prox.prox_elastic_net(x, (STRENGTH, RIDGE / STRENGTH), STEP),
        "L2 of groups": lambda shape: jax.vmap(lambda x: prox.prox_group_lasso(x, STRENGTH, STEP)),
        "NonNegative": lambda shape: projection.projection_non_negative,
        "Box": lambda shape: lambda x: projection.projection_box(x, (0.0, 1.0)),
        "Simplex": lambda shape: lambda x: projection.projection_simplex(x, RADIUS),
        "L1Ball": lambda shape: lambda x: projection.projection_l1_ball(x, RADIUS),
    }


def _pyproximal() -> tuple[bool, dict[str, Callable[[tuple[int, ...]], Prox]]]:
    import pyproximal as pp

    def flat(make: Callable[[tuple[int, ...]], Any]) -> Callable[[tuple[int, ...]], Prox]:
        def prepare(shape: tuple[int, ...]) -> Prox:
            operator = make(shape)
            return lambda x: operator.prox(x.ravel(), STEP).reshape(x.shape)

        return prepare

    def grouped(shape: tuple[int, ...]) -> Prox:
        operator = pp.L21(GROUP, STRENGTH)
        return lambda x: operator.prox(x.T.ravel(), STEP).reshape(x.T.shape).T

    return False, {
        "L1": flat(lambda shape: pp.L1(STRENGTH)),
        "L2 of groups": grouped,
        "Nuclear": flat(lambda shape: pp.Nuclear(shape, STRENGTH)),
        "Box": flat(lambda shape: pp.Box(0.0, 1.0)),
        "SCAD": flat(lambda shape: pp.SCAD(STRENGTH, SCAD_GAMMA)),
        "TV1D": flat(lambda shape: pp.TV(shape, STRENGTH, niter=1000, rtol=1e-12)),
        "Simplex": flat(lambda shape: pp.Simplex(shape[0], RADIUS)),
        "L1Ball": flat(lambda shape: pp.L1Ball(shape[0], RADIUS, xtol=1e-10)),
    }


def _skglm() -> tuple[bool, dict[str, Callable[[tuple[int, ...]], Prox]]]:
    import numba
    from skglm import penalties
    from skglm.utils.jit_compilation import compiled_clone

    @numba.njit
    def entries(penalty, x, step):  # type: ignore[no-untyped-def]
        out = np.empty_like(x)
        for j in range(len(x)):
            out[j] = penalty.prox_1d(x[j], step, j)
        return out

    @numba.njit
    def rows(penalty, x, step):  # type: ignore[no-untyped-def]
        out = np.empty_like(x)
        for j in range(len(x)):
            out[j] = penalty.prox_1feat(x[j], step, j)
        return out

    def each(loop: Any, make: Callable[[], Any]) -> Callable[[tuple[int, ...]], Prox]:
        def prepare(shape: tuple[int, ...]) -> Prox:
            penalty = compiled_clone(make())
            return lambda x: loop(penalty, x, STEP)

        return prepare

    def slope(shape: tuple[int, ...]) -> Prox:
        penalty = compiled_clone(penalties.SLOPE(slope_weights(shape[0])))
        return lambda x: penalty.prox_vec(x, STEP)

    share = STRENGTH / (STRENGTH + RIDGE)
    return False, {
        "L1": each(entries, lambda: penalties.L1(STRENGTH)),
        "elastic net": each(entries, lambda: penalties.L1_plus_L2(STRENGTH + RIDGE, share)),
        "L2 of groups": each(rows, lambda: penalties.L2_1(STRENGTH)),
        "NonNegative": each(entries, penalties.PositiveConstraint),
        "Box": each(entries, lambda: penalties.IndicatorBox(1.0)),
        "MCP": each(entries, lambda: penalties.MCPenalty(STRENGTH, MCP_GAMMA)),
        "SCAD": each(entries, lambda: penalties.SCAD(STRENGTH, SCAD_GAMMA)),
        "SLOPE": slope,
    }
