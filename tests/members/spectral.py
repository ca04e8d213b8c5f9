"""Members on singular values."""

import cvxpy as cp

import jaxreg as jr
from members._member import MATRIX, Member

MEMBERS = (Member("nuclear", jr.Nuclear(), MATRIX, lambda z: (cp.normNuc(z), [])),)
