"""Which tasks to train together, from what each does for the others."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST = 12


def group_tasks(affinity: Any, groups: int) -> tuple[tuple[int, ...], ...]:
    """The best at most `groups` groups of tasks by their affinity (T, T), what row i does for column j.

    A task j in a group gains the mean affinity of the group's other tasks onto it, 0 if it is alone there; it is served
    by the group in which it gains most, and the sum of gains is largest (Fifty et al. 2021, section 3.2). A task may
    help in a group without being served there. Found by branch and bound over all groups, so exact; where fewer groups
    gain the same, there are fewer. Tasks and groups are in ascending order.

    Raises ValueError for what is no finite square matrix, more than 12 tasks, or fewer than one group.

    >>> import numpy as np, jaxreg as jr
    >>> jr.group_tasks(np.array([[0, 0.2, -0.1], [0.1, 0, -0.2], [-0.3, -0.1, 0]]), 2)
    ((0, 1), (2,))
    """
    Z = np.asarray(affinity, float)
    if Z.ndim != 2 or Z.shape[0] != Z.shape[1] or not Z.size or not np.all(np.isfinite(Z)):
        raise ValueError(f"group_tasks: affinity has shape {Z.shape}, expected finite numbers (tasks, tasks).")
    if len(Z) > _MOST:
        raise ValueError(f"group_tasks: {len(Z)} tasks, at most {_MOST} can be searched; group some of them first.")
    if groups < 1:
        raise ValueError(f"group_tasks: groups is {groups!r}, expected a number >= 1.")
    member, gain = _gains(Z)
    chosen = _search(gain, min(int(groups), len(Z)))
    return tuple(sorted(tuple(map(int, np.flatnonzero(member[g]))) for g in chosen))


def _gains(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Membership of every nonempty group, small ones first, and what each member gains; -inf for the others."""
    T = len(Z)
    member = (np.arange(1, 2**T)[:, None] >> np.arange(T) & 1).astype(bool)
    member = member[np.argsort(member.sum(1), kind="stable")]
    others = Z - np.diag(np.diag(Z))
    size = np.maximum(member.sum(1) - 1, 1)[:, None]
    return member, np.where(member, member.astype(float) @ others / size, -np.inf)


def _search(gain: np.ndarray, groups: int) -> list[int]:
    """The rows, at most `groups`, with the largest sum of columnwise maxima, by depth first with a bound."""
    ahead = np.maximum.accumulate(gain[::-1], 0)[::-1]  # the most that a row from here on can give
    best: list[Any] = [-np.inf, []]

    def visit(first: int, now: np.ndarray, chosen: list[int]) -> None:
        totals = np.maximum(gain[first:], now).sum(1)
        top = int(np.argmax(totals))
        if totals[top] > best[0] + 1e-12:
            best[:] = [totals[top], [*chosen, first + top]]
        if len(chosen) + 1 == groups:
            return
        bounds = np.maximum(np.maximum(gain[first:], now), ahead[first:]).sum(1)
        for row in np.flatnonzero(bounds > best[0] + 1e-12) + first:
            if row + 1 < len(gain) and np.maximum(now, ahead[row]).sum() > best[0] + 1e-12:
                visit(int(row) + 1, np.maximum(now, gain[row]), [*chosen, int(row)])

    visit(0, np.full(gain.shape[1], -np.inf), [])
    return best[1]
