"""Placement: g.on(glob) acts on the leaves whose path matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxreg import _tree
from jaxreg._pytree import pytree, static
from jaxreg.penalties._base import Leafwise
from jaxreg.penalties._scaled import Scaled
from jaxreg.penalties._wrapped import inherited, parts_of


@pytree
class On(Leafwise):
    """g restricted to the leaves whose path, or a parent of it, matches a glob; named leaves include intercepts."""

    penalty: Any
    glob: str = static()
    convex, smooth, bounded = inherited("convex", "smooth", "bounded")

    def __repr__(self) -> str:
        inner = repr(self.penalty)
        return f"({inner}).on({self.glob!r})" if isinstance(self.penalty, Scaled) else f"{inner}.on({self.glob!r})"

    def check(self) -> None:
        """Check what is placed."""
        self.penalty.check()

    def parts(self, names: Sequence[str], named: bool = False) -> tuple[Leafwise | None, ...]:
        """The parts of g on matching leaves. Raises ValueError, listing the leaves, when none matches."""
        hits = _tree.matching(names, self.glob, f".on({self.glob!r})")
        found = dict(zip(hits, parts_of(self.penalty, hits, True), strict=True))
        return tuple(found.get(name) for name in names)
