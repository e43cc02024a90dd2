"""Medians, spreads and claims: how the studies read their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Claim", "best_cell", "every_below", "median", "spread"]


@dataclass(frozen=True)
class Claim:
    """A statement about the runs, whether it holds in them, and the numbers that say so.

    The verdict of a study is the conjunction of its decisive claims. The others are reported too.
    """

    text: str
    holds: bool
    evidence: str
    decisive: bool = True


def every_below(low: Sequence[float], high: Sequence[float]) -> bool:
    """True if each number of ``low`` is below each of ``high``."""
    return max(low) < min(high)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and in brackets the least and the greatest value."""
    shown = [f"{value:.{digits}f}" for value in (median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})".replace("-", "−")


def best_cell(runs: list[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """The runs, by seed, of that setting of ``by`` whose median validation loss is the lowest."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run in runs:
        cells.setdefault(tuple(run[key] for key in by), []).append(run)
    best = min(cells.values(), key=lambda cell: median(run["loss"] for run in cell))
    return sorted(best, key=lambda run: run["seed"])
