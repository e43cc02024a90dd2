"""Compare FSDP2 in two processes of this machine with a run in one process.

    python examples/fsdp2_two_processes.py [--epochs 10]

``fully_shard`` splits the parameters and their optimizer state between the processes. A schedule
is in the param group, of which each process has a copy, and its value depends only on the step. So
each process builds and steps its own schedules, and all of them agree without communication. The
two processes must end in the weights of an unsharded run in one process, except for rounding.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from tqdm import tqdm

import torch_schedule_anything as tsa

SEED = 0
PROCESSES = 2
BATCH_SIZE = 64  # the sum over all processes
TIME_LIMIT = 300  # seconds
CLIP = "gradient_clip_threshold"
BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"


def load_data() -> list[Tensor]:
    """Real digits of 8 × 8 pixels: images and labels for training, then for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, labels, test_size=0.2, random_state=SEED, stratify=labels)
    return [torch.as_tensor(parts[i]) for i in (0, 2, 1, 3)]


def build_model() -> nn.Sequential:
    """A model in double precision, because training amplifies differences in rounding."""
    torch.manual_seed(SEED)
    return nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10)
    ).double()


def build_schedule(optimizer: torch.optim.Optimizer, num_steps: int) -> tsa.SynchronousSchedule:
    tsa.extend_optimizer(optimizer, CLIP, 4.0)
    return tsa.SynchronousSchedule(
        [
            tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.01, num_steps // 10, num_steps),
            tsa.linear_schedule_with_warmup(
                optimizer, 1.0, 3.0, 0, num_steps, schedule_target="weight_decay"
            ),
            tsa.quadratic_schedule_with_warmup(
                optimizer, 1.0, 0.25, 0, num_steps, schedule_target=CLIP
            ),
        ]
    )


def train(rank: int, processes: int, epochs: int) -> dict[str, Any]:
    """Train in one of ``processes``; returns the scheduled values and the unsharded weights."""
    images, labels, *test = load_data()
    model = build_model()
    if processes > 1:
        mesh = init_device_mesh("cpu", (processes,))
        for layer in model:
            if isinstance(layer, nn.Linear):
                fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.05)
    per_epoch = len(labels) // BATCH_SIZE
    schedule = build_schedule(optimizer, epochs * per_epoch)
    values: dict[str, list[float]] = {name: [] for name in schedule.schedule_names}
    title = "one process" if processes == 1 else f"{processes} processes"
    torch.manual_seed(SEED)  # so that all processes draw the same batches
    with tqdm(
        total=epochs * per_epoch,
        desc=f"{title:<11}",
        bar_format=BAR,
        disable=True if rank else None,
    ) as bar:
        for _ in range(epochs):
            order = torch.randperm(len(labels))[: per_epoch * BATCH_SIZE]
            for batch in order.split(BATCH_SIZE):
                part = batch[rank::processes]
                for name, (value, *_) in schedule.get_last_schedules().items():
                    values[name].append(value)
                loss = nn.functional.cross_entropy(model(images[part]), labels[part])
                optimizer.zero_grad()
                loss.backward()  # takes the mean of the gradients over the processes
                for threshold, parameters, _ in tsa.get_param_groups_regrouped_by_key(
                    optimizer, CLIP
                ):
                    nn.utils.clip_grad_norm_(parameters, threshold)
                optimizer.step()
                schedule.step()
                bar.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)
                bar.update()
    sizes = [
        getattr(parameter, "_local_tensor", parameter).numel() for parameter in model.parameters()
    ]
    weights = get_model_state_dict(
        model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )
    return {"values": values, "weights": weights, "held": sum(sizes), "test": test}


def enter(rank: int, folder: Path, epochs: int) -> None:
    """A process joins the others through a file, trains, and saves its result in ``folder``."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the loopback interface of this machine
    meeting_point = (folder / "meeting_point").as_uri()
    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=PROCESSES)
    torch.save(train(rank, PROCESSES, epochs), folder / f"{rank}.pt")
    dist.barrier()  # a process that exits early would close its connections to the other
    dist.destroy_process_group()


def launch(epochs: int) -> list[dict[str, Any]]:
    """Start the processes, end them at the time limit at the latest, and return their results."""
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(enter, (Path(folder), epochs), nprocs=PROCESSES, join=False)
        deadline = time.monotonic() + TIME_LIMIT
        try:
            while not context.join(timeout=1):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the processes did not end within {TIME_LIMIT} s")
        finally:
            for process in context.processes:
                process.kill()
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(PROCESSES)]


@torch.no_grad()
def accuracy(weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> float:
    model = build_model()
    model.load_state_dict(weights)
    return (model(images).argmax(dim=1) == labels).double().mean().item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # because threads slow down a network this small
    alone = train(0, 1, epochs)
    ranks = launch(epochs)

    num_steps = len(alone["values"]["lr"])
    names = list(alone["values"])
    runs = {"one process": alone, "process 0": ranks[0], "process 1": ranks[1]}
    print("\n" + " " * 6 + "".join(f"{title:>28}" for title in runs))
    print(f"{'step':>6}" + f"{'lr':>10}{'decay':>9}{'clip':>9}" * len(runs))
    for t in (*(num_steps * i // 6 for i in range(6)), num_steps - 1):
        print(f"{t:>6}", end="")
        for run in runs.values():
            lr, weight_decay, clip = (run["values"][name][t] for name in names)
            print(f"{lr:>10.6f}{weight_decay:>9.5f}{clip:>9.5f}", end="")
        print()
    same_values = all(run["values"] == alone["values"] for run in ranks)
    # Only process 0 receives the unsharded weights.
    apart = max(
        (weight - ranks[0]["weights"][name]).abs().max().item()
        for name, weight in alone["weights"].items()
    )
    reached = accuracy(ranks[0]["weights"], *alone["test"])
    print(f"\nparameters held: {alone['held']} in one process; {[run['held'] for run in ranks]}")
    print(
        f"the same values at each of {num_steps} steps everywhere: {'yes' if same_values else 'NO'}"
    )
    print(f"weights of the sharded run and the other: {apart:.1e} apart (expected under 1e-8)")
    print(f"test accuracy: {reached:.2%} of {len(alone['test'][1])} digits (expected over 90 %)")
    return 0 if same_values and apart < 1e-8 and reached > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
