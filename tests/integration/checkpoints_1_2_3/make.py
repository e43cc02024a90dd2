"""Make the checkpoints in this folder, with the real torch-schedule-anything 1.2.3.

Run it in a separate environment: ``pip install torch torch-schedule-anything==1.2.3``, then
``python make.py``. Each file holds the states that a user saved during a run. Its entry
``"following"`` holds the later values of the 1.2.3 run, by target: one row per step, with one
number per group.
"""

from __future__ import annotations

import copy
from importlib.metadata import version
from pathlib import Path

import torch
from runs import RUNS, SAVED_AT, STEPS, make_model, make_optimizer

import torch_schedule_anything as tsa

assert version("torch-schedule-anything") == "1.2.3"

for name, make_members in RUNS.items():
    model = make_model()
    optimizer = make_optimizer(model)
    schedule = tsa.SynchronousSchedule(make_members(tsa, optimizer))
    for t in range(STEPS):
        if t == SAVED_AT:
            checkpoint = {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            saved = copy.deepcopy(checkpoint)
            saved["following"] = {target: [] for target in schedule.schedule_names}
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        schedule.step()
        if t >= SAVED_AT:
            for target, rows in saved["following"].items():
                rows.append(list(schedule.get_last_schedule(target)))
    torch.save(saved, Path(__file__).with_name(f"{name}.pt"))
