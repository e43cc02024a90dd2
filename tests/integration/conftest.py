"""Filters for warnings that the frameworks raise in any program, with or without this library."""

import pytest

THIRD_PARTY_WARNINGS = (
    # Ignite imports torch.distributed.optim, which in torch 2.13 runs the deprecated torch.jit.
    r"ignore:`torch.jit.\w+` is deprecated:DeprecationWarning",
    # Lightning 2.6 tests for a LeafSpec in a way that torch has deprecated.
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Lightning gives advice on idle cores and on a checkpoint folder that is in use.
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:Checkpoint directory .* exists and is not empty",
    "ignore:The dirpath has changed",
)


def pytest_configure(config: pytest.Config) -> None:
    for line in THIRD_PARTY_WARNINGS:
        config.addinivalue_line("filterwarnings", line)
