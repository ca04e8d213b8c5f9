"""Members that compare neighbours."""

from members._member import Member

MEMBERS: tuple[Member, ...] = ()
