"""``tsa_core`` is what a framework author installs alone: torch, and nothing else, is there."""

from __future__ import annotations

import subprocess
import sys
import textwrap

# torch 2.0 says so late, on its first look for NumPy.
WARNINGS = ("-W", "error", "-W", "ignore:Failed to initialize NumPy")

# With None in its place a module is not there, neither to ``import`` nor to ``find_spec``, by
# which torch looks for NumPy. torch does without it, with a warning.
GUARD = """
import sys, warnings

for name in ("numpy", "tsa_builtins", "torch_schedule_anything"):
    sys.modules[name] = None
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
"""

PROGRAM = """
from torch.optim.lr_scheduler import ExponentialLR
import tsa_core

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.5, weight_decay=0.25)
tsa_core.extend_optimizer(optimizer, "clip", 8.0)
sync = tsa_core.SynchronousSchedule([
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t),
    tsa_core.CurveSchedule(optimizer, lambda t: torch.tensor(1.0 + t), "betas[0]"),
    tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target="weight_decay"
    ),
    tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, 0.5), 1.0, "clip"
    ),
])
for _ in range(2):
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    sync.step()
sync.load_state_dict(sync.state_dict())
print(sync.get_last_schedules())
print([entry[0] for entry in tsa_core.get_param_groups_regrouped_by_key(optimizer, "clip")])
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *WARNINGS, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
    )


def test_it_drives_schedules_with_torch_alone() -> None:
    """With NumPy and the other distributions out of reach, a whole run gives the right values."""
    ran = run(GUARD + PROGRAM)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        str({"lr": [0.125], "betas[0]": [0.9 * 3], "weight_decay": [0.0625], "clip": [2.0]}),
        "[2.0]",
    ]


def test_importing_it_imports_no_other_distribution() -> None:
    """Even where they are installed, only ``tsa_core`` itself is loaded."""
    ran = run("""
        import warnings, sys
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
        before = set(sys.modules)
        import tsa_core
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(new - set(sys.stdlib_module_names)))
    """)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in ("['tsa_core']", "['torch', 'tsa_core']")


def test_the_guard_can_fail() -> None:
    """Under it, NumPy and the other distributions cannot be imported: the tests above mean it."""
    for name in ("numpy", "tsa_builtins", "torch_schedule_anything"):
        ran = run(GUARD + f"import {name}")
        assert ran.returncode == 1
        assert f"ModuleNotFoundError: import of {name} halted" in ran.stderr
