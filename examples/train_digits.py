"""Train a small convolutional network on handwritten digits, under four schedules at once.

    nox -s demo

The optimizer is AdamW. It decays the weights, but not the biases and norms. One SynchronousSchedule
drives the learning rate, the weight decay, Adam's beta1, and a gradient-clip threshold that AdamW
does not know. Halfway the run is saved. A second run starts from the file, and must end in the same
weights, bit for bit.

Then the program compares the schedules with constant values, in runs from the same seeds and of the
same length. It tries several constant learning rates, takes the best one, and reports the result,
whichever way it came out.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

import torch_schedule_anything as tsa

matplotlib.use("Agg")  # draws into files, so it needs no display
import matplotlib.pyplot as plt

SEEDS = range(5)
EPOCHS = 12
BATCH_SIZE = 64
CLIP = "gradient_clip_threshold"
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
NEXT_PAGE = ROOT / "docs" / "quickstart.md"

# The values that the optimizer starts from. Schedules multiply them; a constant run keeps them.
# A learning rate that falls can start high. A constant one is a compromise, so several are tried.
LR = 1e-2
CONSTANT_LRS = (1e-3, 3e-3, 1e-2)
WEIGHT_DECAY = 0.1
BETA1 = 0.85
THRESHOLD = 4.0

TITLES = {
    "lr": "learning rate",
    "weight_decay": "weight decay",
    "betas[0]": "Adam's beta1",
    CLIP: "gradient-clip threshold",
}


@dataclass
class Data:
    """The digits, split for training and test."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train_labels) // BATCH_SIZE)


@dataclass
class Run:
    """A model in training, and the record of each step: its loss and its scheduled values."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule | None
    losses: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TITLES})


def load_data() -> Data:
    """Real digits of 8 × 8 pixels; half of them are for the test."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).astype(np.float32) / 16
    parts = train_test_split(images, labels, test_size=0.5, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = map(torch.as_tensor, parts)
    return Data(train_images, train_labels, test_images, test_labels)


def build_run(num_steps: int, seed: int, *, constant_lr: float | None = None) -> Run:
    """Make a new model and its optimizer, and schedules over ``num_steps`` or constant values."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 4 * 4, 10),
    )  # fmt: skip
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    biases_and_norms = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": weights}, {"params": biases_and_norms, "weight_decay": 0}],
        lr=constant_lr or LR,
        weight_decay=WEIGHT_DECAY,
        betas=(BETA1, 0.999),
    )
    if constant_lr:
        tsa.extend_optimizer(optimizer, CLIP, THRESHOLD)
        return Run(model, optimizer, None)
    return Run(model, optimizer, build_schedule(optimizer, num_steps))


def build_schedule(optimizer: torch.optim.Optimizer, num_steps: int) -> tsa.SynchronousSchedule:
    """Each schedule multiplies the value that the optimizer was built with."""
    num_warmup_steps = num_steps // 10
    lr = tsa.cosine_annealing_with_warmup(
        optimizer,
        warmup_to_value=1.0,
        anneal_to_value=0.01,
        num_warmup_steps=num_warmup_steps,
        num_training_steps=num_steps,
    )
    # AdamW decays by lr × weight decay, so weight decay rises while lr falls.
    weight_decay = tsa.quadratic_schedule_with_warmup(
        optimizer,
        warmup_to_value=1.0,
        anneal_to_value=4.0,
        num_warmup_steps=0,
        num_training_steps=num_steps,
        schedule_target="weight_decay",
    )
    # beta1 falls from 0.935 to 0.85 during the warmup and rises again, so that Adam averages over
    # more steps while they are small. The change is small, because Adam's bias correction assumes
    # that beta1 always had its present value.
    beta1 = tsa.CurveSchedule(
        optimizer,
        tsa.curves.Piecewise({0: 1.1, num_warmup_steps: 1.0, num_steps: 1.1}),
        "betas[0]",
    )
    # A torch scheduler drives an entry that AdamW does not read. train_step reads it.
    clip = tsa.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: StepLR(proxy, step_size=num_steps // 4, gamma=0.5),
        default_value=THRESHOLD,
        schedule_target=CLIP,
    )
    return tsa.SynchronousSchedule([lr, weight_decay, beta1, clip])


def train(run: Run, data: Data, epochs: range) -> None:
    for _ in epochs:
        run.model.train()
        for batch in torch.randperm(len(data.train_labels)).split(BATCH_SIZE):
            group = run.optimizer.param_groups[0]  # has each value, scheduled or constant
            now = {
                "lr": group["lr"],
                "weight_decay": group["weight_decay"],
                "betas[0]": group["betas"][0],
                CLIP: group[CLIP],
            }
            loss = train_step(run, data.train_images[batch], data.train_labels[batch])
            run.losses.append(loss)
            for name, value in now.items():
                run.values[name].append(value)


def train_step(run: Run, images: Tensor, labels: Tensor) -> float:
    loss = nn.functional.cross_entropy(run.model(images), labels)
    run.optimizer.zero_grad()
    loss.backward()
    threshold = run.optimizer.param_groups[0][CLIP]  # the same in both groups
    nn.utils.clip_grad_norm_(run.model.parameters(), threshold)
    run.optimizer.step()
    if run.schedule is not None:
        run.schedule.step()
    return loss.item()


@torch.no_grad()
def wrong_digits(run: Run, data: Data) -> int:
    run.model.eval()
    return int((run.model(data.test_images).argmax(dim=1) != data.test_labels).sum())


def save(run: Run, path: Path) -> None:
    checkpoint = {
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "random": torch.get_rng_state(),  # decides the order of the data, and dropout
    }
    torch.save(checkpoint, path)


def resume(path: Path, num_steps: int, seed: int) -> Run:
    run = build_run(num_steps, seed)
    checkpoint = torch.load(path, weights_only=True)
    run.model.load_state_dict(checkpoint["model"])
    run.optimizer.load_state_dict(checkpoint["optimizer"])
    run.schedule.load_state_dict(checkpoint["schedule"])
    torch.set_rng_state(checkpoint["random"])
    return run


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def print_values(run: Run) -> None:
    num_steps = len(run.losses)
    titles = {name: f"  {title:>13}" for name, title in TITLES.items()}
    print(f"{'step':>6}" + "".join(titles.values()))
    for t in (*(num_steps * i // 10 for i in range(10)), num_steps - 1):
        print(
            f"{t:>6}" + "".join(f"{run.values[name][t]:>{len(titles[name])}.5f}" for name in titles)
        )


def compare(data: Data, num_steps: int) -> None:
    """Print the digits that each way gets wrong, a row per seed as the runs end, and the result."""
    ways = {"schedules": None, **{f"lr {lr:g}": lr for lr in CONSTANT_LRS}}
    wrong: dict[str, list[int]] = {way: [] for way in ways}
    print(f"{'seed':>6}" + "".join(f"{way:>11}" for way in ways))
    for seed in SEEDS:
        for way, lr in ways.items():
            run = build_run(num_steps, seed, constant_lr=lr)
            train(run, data, range(EPOCHS))
            wrong[way].append(wrong_digits(run, data))
        print(f"{seed:>6}" + "".join(f"{counts[-1]:>11}" for counts in wrong.values()))
    means = {way: sum(counts) / len(counts) for way, counts in wrong.items()}
    print(f"{'mean':>6}" + "".join(f"{mean:>11.1f}" for mean in means.values()))
    scheduled = means.pop("schedules")
    best = min(means, key=means.__getitem__)
    spread = max(max(counts) - min(counts) for counts in wrong.values())
    print(
        f"\nResult: of {len(data.test_labels)} digits, the schedules got {scheduled:.1f} wrong, "
        f"and the best constant values, with {best}, {means[best]:.1f}."
    )
    if scheduled >= means[best]:
        print(
            "The schedules did not win here: the task is easy, and another seed alone changes "
            f"the number by up to {spread}."
        )


def draw(run: Run, saved_at: int, path: Path) -> None:
    """Draw the scheduled values one below the other, and the loss beside them."""
    figure = plt.figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.add_gridspec(len(TITLES), 2, width_ratios=(1, 1.25))
    steps = range(len(run.losses))
    curves = [figure.add_subplot(grid[row, 0]) for row in range(len(TITLES))]
    for axes, (name, title), color in zip(curves, TITLES.items(), plt.cm.tab10.colors):
        axes.plot(steps, run.values[name], color=color, linewidth=1.8)
        axes.set_title(title, loc="left", fontsize=10)
        axes.margins(x=0.01, y=0.12)
    for axes in curves[:-1]:
        axes.tick_params(labelbottom=False)
    loss = figure.add_subplot(grid[:, 1])
    loss.semilogy(steps, run.losses, color="0.8", linewidth=0.8, label="a batch")
    window = len(run.losses) // EPOCHS
    smooth = np.convolve(run.losses, np.ones(window) / window, mode="valid")
    loss.semilogy(steps[window - 1 :], smooth, color="0.15", linewidth=1.8, label="an epoch's mean")
    loss.set_title("training loss", loc="left", fontsize=10)
    loss.margins(x=0.01)
    for axes in (*curves, loss):
        axes.axvline(saved_at, color="0.5", linewidth=0.9, linestyle=":")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    loss.plot([], [], color="0.5", linestyle=":", label="checkpoint")
    loss.legend(frameon=False)
    curves[-1].set_xlabel("step")
    loss.set_xlabel("step")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> int:
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # because threads slow down a network this small
    OUT.mkdir(exist_ok=True)
    data = load_data()
    num_steps = EPOCHS * data.steps_per_epoch
    half = EPOCHS // 2
    checkpoint, picture = OUT / "train_digits.pt", OUT / "train_digits.png"

    num_digits = len(data.train_labels), len(data.test_labels)
    print(f"Train a network on {num_digits[0]} handwritten digits, under four schedules:\n")
    run = build_run(num_steps, SEEDS[0])
    train(run, data, range(half))
    save(run, checkpoint)
    train(run, data, range(half, EPOCHS))
    print_values(run)
    resumed = resume(checkpoint, num_steps, SEEDS[0])
    train(resumed, data, range(half, EPOCHS))
    same = same_weights(run.model, resumed.model)
    accuracy = 1 - wrong_digits(run, data) / num_digits[1]
    print(f"\nIt reads {accuracy:.2%} of {num_digits[1]} other digits right (expected over 97 %).")
    print(f"A run resumed halfway ended in the same weights: {'yes' if same else 'NO'}")
    draw(run, half * data.steps_per_epoch, picture)
    print(f"The picture of the values and the loss: {picture}")
    print(f"Read next: {NEXT_PAGE}")

    print(
        f"\nCompare with constant values: weight decay {WEIGHT_DECAY:g}, beta1 {BETA1:g}, "
        f"threshold {THRESHOLD:g}, and several\nlearning rates. "
        f"Each run makes {num_steps} steps. Then it gets so many digits wrong:\n"
    )
    compare(data, num_steps)
    return 0 if accuracy > 0.97 and same else 1


if __name__ == "__main__":
    sys.exit(main())
