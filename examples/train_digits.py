"""Train a small convolutional network on handwritten digits, under four schedules at once.

    nox -s demo

The optimizer is AdamW. It decays the weights, but not the biases and norms. One SynchronousSchedule
drives the learning rate, the weight decay, Adam's beta1, and a gradient-clip threshold that AdamW
does not know. Halfway the run is saved. A second run starts from the file, and must end in the same
weights, bit for bit.

The same run is then made with constant values. Each of the two is made from several seeds, and the
program reports what the schedules changed, whichever way it came out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR
from tqdm import tqdm

import torch_schedule_anything as tsa

matplotlib.use("Agg")  # draws into files, so it needs no display
import matplotlib.pyplot as plt

SEEDS = (0, 1, 2)
EPOCHS = 24
COMPARED_EPOCHS = 6  # the last ones, because a constant lr makes one epoch differ from the next
BATCH_SIZE = 64
BAR = "{desc:<24} {percentage:3.0f}% |{bar:20}| {elapsed}{postfix}"
CLIP = "gradient_clip_threshold"
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
NEXT_PAGE = ROOT / "docs" / "quickstart.md"

# The values that the optimizer starts from. Schedules multiply them; a constant run keeps them.
LR = 3e-3
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
    """A model in training, and its record.

    Per step, the record has the loss and the scheduled values. Per epoch, it has the number of
    wrong digits and the loss on the test.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule | None
    losses: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TITLES})
    wrong_digits: list[int] = field(default_factory=list)
    test_losses: list[float] = field(default_factory=list)


def load_data() -> Data:
    """Real digits of 8 × 8 pixels; a fifth of them is for the test."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).astype(np.float32) / 16
    parts = train_test_split(images, labels, test_size=0.2, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = map(torch.as_tensor, parts)
    return Data(train_images, train_labels, test_images, test_labels)


def build_run(num_steps: int, seed: int, *, constant: bool = False) -> Run:
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
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        betas=(BETA1, 0.999),
    )
    if constant:
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


def train(run: Run, data: Data, epochs: range, bar: tqdm[Any]) -> None:
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
            bar.set_postfix_str(
                f"loss {loss:.3f} lr {now['lr']:.1e} wd {now['weight_decay']:.2f} "
                f"beta1 {now['betas[0]']:.3f} clip {now[CLIP]:.1f}",
                refresh=False,
            )
            bar.update()
        evaluate(run, data)


def train_in_full(run: Run, data: Data, title: str) -> None:
    with tqdm(total=EPOCHS * data.steps_per_epoch, desc=title, bar_format=BAR) as bar:
        train(run, data, range(EPOCHS), bar)


def train_step(run: Run, images: Tensor, labels: Tensor) -> float:
    loss = nn.functional.cross_entropy(run.model(images), labels)
    run.optimizer.zero_grad()
    loss.backward()
    for threshold, params, _ in tsa.get_param_groups_regrouped_by_key(run.optimizer, CLIP):
        nn.utils.clip_grad_norm_(params, threshold)
    run.optimizer.step()
    if run.schedule is not None:
        run.schedule.step()
    return loss.item()


@torch.no_grad()
def evaluate(run: Run, data: Data) -> None:
    run.model.eval()
    scores = run.model(data.test_images)
    run.wrong_digits.append(int((scores.argmax(dim=1) != data.test_labels).sum()))
    run.test_losses.append(nn.functional.cross_entropy(scores, data.test_labels).item())


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


def print_comparison(scheduled: list[Run], constant: list[Run], num_digits: int) -> None:
    """Say what the schedules changed, in wrong digits, in loss, and between epochs."""
    arms = {"schedules": scheduled, "constant values": constant}
    width = 3 * COMPARED_EPOCHS + 4
    print(f"Wrong digits of {num_digits} after each of the last {COMPARED_EPOCHS} epochs:\n")
    print("  seed" + "".join(f"{name:>{width}}" for name in arms))
    for i, seed in enumerate(SEEDS):
        counts = [runs[i].wrong_digits[-COMPARED_EPOCHS:] for runs in arms.values()]
        rows = ["".join(f"{count:>3}" for count in each) for each in counts]
        print(f"{seed:>6}" + "".join(f"{row:>{width}}" for row in rows))
    wrong = [mean_of_last(run.wrong_digits for run in runs) for runs in arms.values()]
    losses = [mean_of_last(run.test_losses for run in runs) for runs in arms.values()]
    ranges = [mean_range(run.wrong_digits for run in runs) for runs in arms.values()]
    print("  mean" + "".join(f"{value:>{width}.2f}" for value in wrong))
    print(
        f"\nWith schedules, the runs got {compare(*wrong, 'digits wrong')}.\n"
        f"From epoch to epoch, that number varied by {compare(*ranges, 'digits')}.\n"
        f"The loss on the test was {losses[0]:.4f}; with constant values it was {losses[1]:.4f}.\n"
        f"The constant values: lr {LR:g}, weight decay {WEIGHT_DECAY:g}, beta1 {BETA1:g}, "
        f"threshold {THRESHOLD:g}.\n"
        f"The task is easy, {len(SEEDS)} seeds are few, and other constant values may do better."
    )


def mean_of_last(records: Iterable[list[float]]) -> float:
    return float(np.mean([record[-COMPARED_EPOCHS:] for record in records]))


def mean_range(records: Iterable[list[float]]) -> float:
    return float(np.mean([np.ptp(record[-COMPARED_EPOCHS:]) for record in records]))


def compare(scheduled: float, constant: float, unit: str) -> str:
    if round(scheduled, 2) == round(constant, 2):
        return f"{scheduled:.2f} {unit}, as with constant values"
    word = "fewer" if scheduled < constant else "more"
    return f"{scheduled:.2f} {unit}, {word} than the {constant:.2f} with constant values"


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
    checkpoint = OUT / "train_digits.pt"

    run = build_run(num_steps, SEEDS[0])
    with tqdm(total=num_steps, desc="four schedules", bar_format=BAR) as bar:
        train(run, data, range(half), bar)
        save(run, checkpoint)
        train(run, data, range(half, EPOCHS), bar)

    resumed = resume(checkpoint, num_steps, SEEDS[0])
    saved_at = half * data.steps_per_epoch
    with tqdm(total=num_steps, initial=saved_at, desc="resumed halfway", bar_format=BAR) as bar:
        train(resumed, data, range(half, EPOCHS), bar)

    scheduled, constant = [run], []
    for seed in SEEDS:
        if seed != SEEDS[0]:
            scheduled.append(build_run(num_steps, seed))
            train_in_full(scheduled[-1], data, f"four schedules, seed {seed}")
        constant.append(build_run(num_steps, seed, constant=True))
        train_in_full(constant[-1], data, f"constant values, seed {seed}")

    print("\nThe values of the first run:\n")
    print_values(run)
    num_digits = len(data.test_labels)
    reached = 1 - run.wrong_digits[-1] / num_digits
    same = same_weights(run.model, resumed.model)
    print(f"\nIts accuracy on {num_digits} digits of the test: {reached:.2%} (expected over 97 %)")
    print(f"The resumed run ended in the same weights: {'yes' if same else 'NO'}\n")
    print_comparison(scheduled, constant, num_digits)
    picture = OUT / "train_digits.png"
    draw(run, saved_at, picture)
    print(f"\nThe picture of the values and the loss: {picture}")
    print(f"Read next: {NEXT_PAGE}")
    return 0 if reached > 0.97 and same else 1


if __name__ == "__main__":
    sys.exit(main())
