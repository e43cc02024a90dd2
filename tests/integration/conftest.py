"""Filters for warnings that the frameworks raise in any program; and each test a new Accelerate."""

from collections.abc import Iterator

import pytest
from accelerate_run import reset_accelerate

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


@pytest.fixture(autouse=True)
def new_accelerate() -> Iterator[None]:
    """Each test begins, and leaves the others, with the settings of a new process."""
    reset_accelerate()
    yield
    reset_accelerate()
