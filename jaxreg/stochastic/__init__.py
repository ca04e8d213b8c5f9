"""Stochastic regularisation: risks that take a key, each a pure transform of another risk.

A stochastic risk is called as (params, data, weights=None, *, key=None); without a key it is the risk inside. The
transforms nest, the outermost acting first, and add to any penalty.
"""

from jaxreg.losses import label_smoothing
from jaxreg.stochastic._base import Stochastic
from jaxreg.stochastic.dropout import drop_connect, dropout
from jaxreg.stochastic.input_noise import input_noise
from jaxreg.stochastic.keyed import risk
from jaxreg.stochastic.mixup import mixup
from jaxreg.stochastic.r_drop import r_drop

__all__ = [
    "Stochastic",
    "drop_connect",
    "dropout",
    "input_noise",
    "label_smoothing",
    "mixup",
    "r_drop",
    "risk",
]
