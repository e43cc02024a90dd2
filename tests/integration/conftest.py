"""Warnings that the frameworks give of themselves, whoever uses them."""

import pytest

THIRD_PARTY = (
    # Ignite imports torch.distributed.optim, which torch builds with tools it has deprecated.
    r"ignore:`torch.jit.\w+` is deprecated:DeprecationWarning",
    # Lightning asks torch's pytrees in a way that torch has deprecated since.
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Lightning's advice on a machine with idle cores, and on a checkpoint folder that is in use.
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:Checkpoint directory .* exists and is not empty",
    "ignore:The dirpath has changed",
)


def pytest_configure(config: pytest.Config) -> None:
    for line in THIRD_PARTY:
        config.addinivalue_line("filterwarnings", line)
