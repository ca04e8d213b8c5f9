"""Graphs as unions of linear forests: sets of disjoint paths, each laid out as one chain with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np


class Forests(NamedTuple):
    """A graph of n nodes and E edges in K linear forests.

    `order` (K, n) lists the nodes path by path, `edge` (K, n - 1) the edge after each position, -1 in a gap; edge e
    stands at `place[e]` of the flattened positions and leads from `tail[e]` to `head[e]`.
    """

    order: np.ndarray
    edge: np.ndarray
    place: np.ndarray
    tail: np.ndarray
    head: np.ndarray


@lru_cache(maxsize=64)
def split(edges: tuple[tuple[int, int], ...], n: int) -> Forests:
    """Greedily give each edge to the first forest in which both its ends are free and no circle closes."""
    links: list[dict[int, list[tuple[int, int]]]] = []
    far: list[dict[int, int]] = []  # the other end of the path that ends at a node
    for e, (a, b) in enumerate(edges):
        k = next((k for k in range(len(links)) if _fits(links[k], far[k], a, b)), len(links))
        if k == len(links):
            links.append({})
            far.append({})
        for here, there in ((a, b), (b, a)):
            links[k].setdefault(here, []).append((there, e))
        start, stop = far[k].get(a, a), far[k].get(b, b)
        far[k][start], far[k][stop] = stop, start
    return _layout([_walk(forest, n) for forest in links], n, len(edges))


@lru_cache(maxsize=64)
def grid(rows: int, columns: int) -> Forests:
    """A grid, numbered row by row: its rows and its columns."""
    index = np.arange(rows * columns).reshape(rows, columns)
    wide, high = max(columns - 1, 0), max(rows - 1, 0)
    across, down = np.full((rows, columns), -1), np.full((columns, rows), -1)
    across[:, :wide] = np.arange(rows * wide).reshape(rows, wide)
    down[:, :high] = rows * wide + np.arange(columns * high).reshape(columns, high)
    paths = [(index.ravel(), across.ravel()[:-1]), (index.T.ravel(), down.ravel()[:-1])]
    return _layout([p for p in paths if (p[1] >= 0).any()], rows * columns, rows * wide + columns * high)


def _fits(links: dict[int, list[tuple[int, int]]], far: dict[int, int], a: int, b: int) -> bool:
    return len(links.get(a, ())) < 2 and len(links.get(b, ())) < 2 and far.get(a, a) != b


def _walk(links: dict[int, list[tuple[int, int]]], n: int) -> tuple[list[int], list[int]]:
    """The nodes path by path from an end of each, and the edge after every position but the last."""
    order: list[int] = []
    edge: list[int] = []
    seen = np.zeros(n, bool)
    for end in range(n):
        if seen[end] or len(links.get(end, ())) == 2:
            continue
        node, after = end, end
        while after >= 0:
            node = after
            seen[node] = True
            order.append(node)
            after, used = next(((t, e) for t, e in links.get(node, ()) if not seen[t]), (-1, -1))
            edge.append(used)
    return order, edge[:-1]


def _layout(paths: Sequence[tuple[Any, Any]], n: int, count: int) -> Forests:
    order = np.array([p[0] for p in paths], np.int32).reshape(len(paths), n)
    edge = np.array([p[1] for p in paths], np.int32).reshape(len(paths), max(n - 1, 0))
    place = np.zeros(count, np.int32)
    at = np.flatnonzero(edge.ravel() >= 0)
    place[edge.ravel()[at]] = at
    tail, head = order[:, :-1].ravel()[place], order[:, 1:].ravel()[place]
    return Forests(order, edge, place, tail, head)
