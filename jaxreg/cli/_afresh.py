"""Fits of models that are not convex: every strength afresh, as `cross_validate_fit` takes them."""

from __future__ import annotations

import dataclasses
from typing import Any

import jaxreg as jr
from jaxreg import multitask_models as mm

STAGES, START = 5, 0.05


def staged(model: mm.Stages, loss: Any, share: Any, strength: Any, data: Any, weights: Any) -> jr.Solution:
    """A concave penalty of features: the last of a few stages, which is a convex fit with a certificate."""
    scaled = dataclasses.replace(model, strength=strength * model.strength)
    return scaled.fit(jr.Tasks(data, weights, ()), loss, share, stages=STAGES).fit


def factored(model: mm.FactorModel, loss: Any, share: Any, strength: Any, data: Any, weights: Any) -> jr.Solution:
    """Factors from a weakly penalised fit of low rank, as Kumar and Daumé (2012) start from single tasks' fits."""
    plain = mm.low_rank(1.0)
    risk, init = plain.risk(loss, share), plain.init(data)
    weak = START * jr.strength_max(risk, plain.penalty, data, weights, init=init)
    start = jr.minimize(risk, weak * plain.penalty, init, data, weights)
    return jr.minimize(
        model.risk(loss, share), strength * model.penalty, model.near(start.params), data, weights, solver=jr.PANOC()
    )
