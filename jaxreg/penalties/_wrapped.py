"""What penalties wrapped around another have in common."""

from __future__ import annotations

from collections.abc import Sequence

from jaxreg.penalties._base import Leafwise, Penalty


def inherited(*traits: str) -> tuple[property, ...]:
    """Traits that a penalty wrapped around another has from it."""

    def read(trait: str) -> property:
        return property(lambda self: getattr(self.penalty, trait))

    return tuple(map(read, traits))


def parts_of(penalty: Penalty, names: Sequence[str], named: bool) -> tuple[Leafwise | None, ...]:
    """The parts of a penalty that may be scaled, placed, shifted or added. Raises TypeError for others."""
    if not isinstance(penalty, Leafwise):
        raise TypeError(
            f"{type(penalty).__name__} couples whole trees: it can be used alone, but not be scaled, placed, shifted "
            "or added. Derive it from jaxreg.Leafwise and stack what is coupled on an axis."
        )
    return penalty.parts(names, named)
