"""Solvers: init/update pairs, one loop, one status, one certificate."""

from jaxreg.solvers._loop import Solution, Status
from jaxreg.solvers.admm import ADMM
from jaxreg.solvers.anderson import AndersonSplitting
from jaxreg.solvers.damped import DampedNewton
from jaxreg.solvers.davis_yin import DavisYin
from jaxreg.solvers.douglas_rachford import DouglasRachford
from jaxreg.solvers.fista import FISTA
from jaxreg.solvers.ista import ISTA
from jaxreg.solvers.minimize import minimize
from jaxreg.solvers.newton import Newton
from jaxreg.solvers.optax import Optax
from jaxreg.solvers.panoc import PANOC
from jaxreg.solvers.pdhg import PDHG
from jaxreg.solvers.prox_svrg import ProxSVRG
from jaxreg.solvers.proximal_newton import ProximalNewton

__all__ = [
    "ADMM",
    "FISTA",
    "ISTA",
    "PANOC",
    "PDHG",
    "AndersonSplitting",
    "DampedNewton",
    "DavisYin",
    "DouglasRachford",
    "Newton",
    "Optax",
    "ProxSVRG",
    "ProximalNewton",
    "Solution",
    "Status",
    "minimize",
]
