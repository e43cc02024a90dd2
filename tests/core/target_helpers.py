"""Optimizers that hold given values of one target, as floats or as tensors."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from helpers import adamw

KINDS = {"float": float, "tensor": torch.tensor}
each_kind = pytest.mark.parametrize("as_kind", KINDS.values(), ids=KINDS)


def entries(target: str, value: Any) -> dict[str, Any]:
    """The entries of a group in which ``target`` has the value."""
    if not target.startswith("betas["):
        return {target: value}
    return {"betas": (value, 0.999) if target == "betas[0]" else (0.9, value)}


def adamw_with(target: str, *values: Any, **settings: Any) -> torch.optim.AdamW:
    """An AdamW with one group per value of ``target``."""
    return adamw(*(entries(target, value) for value in values), **settings)


def without_params(optimizer: Any) -> list[dict[str, Any]]:
    """The entries of each group but its parameters, which cannot be compared."""
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]


def through_torch_save(state: Any) -> Any:
    """The state as ``torch.load(weights_only=True)`` reads it from a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
