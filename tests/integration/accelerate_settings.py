"""Accelerate keeps its settings in singletons, which outlive a test."""

from __future__ import annotations

from accelerate.state import AcceleratorState, GradientState, PartialState


def reset_accelerate() -> None:
    """Make Accelerate as new as in a new process."""
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()
