"""Solvers: init/update pairs, one loop, one status, one certificate."""

from jaxreg.solvers._loop import Solution, Status
from jaxreg.solvers.damped import DampedNewton
from jaxreg.solvers.fista import FISTA
from jaxreg.solvers.minimize import minimize
from jaxreg.solvers.newton import Newton
from jaxreg.solvers.optax import Optax

__all__ = ["FISTA", "DampedNewton", "Newton", "Optax", "Solution", "Status", "minimize"]
