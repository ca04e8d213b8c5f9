"""The penalties of the zoo, one family a file, each member beside its independent oracle."""

from members import calculus, coupling, elementwise, fused, groups, sets, spectral
from members._member import Member

PENALTIES: tuple[Member, ...] = (
    *elementwise.MEMBERS,
    *groups.MEMBERS,
    *spectral.MEMBERS,
    *fused.MEMBERS,
    *sets.MEMBERS,
    *coupling.MEMBERS,
    *calculus.MEMBERS,
)
