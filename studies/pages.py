"""Write the results of the studies into the pages of the documentation.

    python studies/pages.py

In docs/studies/*.md and docs/examples.md the text between each ``<!-- name -->`` and
``<!-- end -->`` is written anew.
Every number and every verdict on these pages comes from studies/results/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import batch_size
import one_run
import training
import weight_decay
from corpus import CONTEXT, HELD_OUT_EVERY, NUM_BYTES
from jobs import HERE, Job
from measures import median, spread
from network import Network

RESULTS = HERE / "results"
PAGES = HERE.parent / "docs" / "studies"

Result = dict[str, Any]


def read_results() -> dict[str, Result]:
    paths = sorted(RESULTS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(map(str, cells)) for cells in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    return f"{value:,}".replace(",", " ")


def listed(values: Iterable[float]) -> str:
    *some, last = (f"{value:g}" for value in values)
    return f"{', '.join(some)} and {last}"


def rate_of(best: list[Job], rates: tuple[float, ...]) -> str:
    """The rate of the best runs, with a mark where no higher or no lower one was tried."""
    rate = best[0]["rate"]
    edge = {max(rates): " (the highest tried)", min(rates): " (the lowest tried)"}
    return f"{rate:g}{edge.get(rate, '')}"


# -- sections of every study -------------------------------------------------------------------


def verdict(result: Result) -> str:
    said = "It holds" if result["holds"] else "It does not hold"
    return (
        f"**{said}**, by the criterion that the script contained before the full run: "
        f"{result['criterion']}"
    )


def claims(result: Result, hold: bool) -> str:
    lines = [
        f"{claim['text'][0].upper()}{claim['text'][1:]}: {claim['evidence']}."
        for claim in result["claims"]
        if claim["holds"] == hold
    ]
    return bullets(lines or ["None of the claims that the script looks at."])


def place(result: Result) -> str:
    machine, versions, text = result["machine"], result["versions"], result["text"]
    minutes = result["runs_cpu_s"] / 60
    return (
        f"{len(result['runs'])} runs, {minutes:.0f} minutes of CPU time, {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['system']}, Python {versions['python']}, "
        f"torch {versions['torch']}. SHA-256 of the text: `{text['sha256'][:16]}…`"
    )


def network_and_text(result: Result) -> list[str]:
    parameters = sum(parameter.numel() for parameter in Network().parameters())
    characters = result["text"]["training_characters"]
    return [
        f"The network has {number(parameters)} parameters. It predicts a character from the "
        f"{CONTEXT} before it. An RMS norm follows each matrix but the last.",
        f"The text is the first {NUM_BYTES // 10**6} MB of Python's own standard library, "
        f"{number(characters)} characters to train on. Nothing is downloaded.",
        f"Every {HELD_OUT_EVERY}th file is held out. The validation loss is the mean over "
        f"{number(training.NUM_VALIDATION_SAMPLES)} fixed samples of it, in nats per character.",
        "The optimizer is AdamW. Its group `matrices` is decayed, and its group `others` is not.",
    ]


def seeds(result: Result) -> str:
    return (
        f"{result['settings']['seeds']} seeds. For the same seed, all arms start from the same "
        "weights and see the same samples in the same order."
    )


# -- weight decay ------------------------------------------------------------------------------


def weight_decay_sections(result: Result) -> dict[str, str]:
    study, runs = weight_decay, result["runs"]
    steps = result["settings"]["steps"]
    by_decay = {
        decay: {arm: study.best_runs(runs, arm, (decay,)) for arm in study.ARMS}
        for decay in study.WEIGHT_DECAYS
    }

    def rows(key: str, digits: int) -> Iterable[list[str]]:
        for decay, best in by_decay.items():
            spreads = (spread([run[key] for run in best[arm]], digits) for arm in study.ARMS)
            yield [f"{decay:g}", *spreads]

    return {
        "setup": bullets([
            *network_and_text(result),
            f"A run has {number(steps)} steps of {study.BATCH_SIZE} samples.",
            f"lr is warmed up over {training.WARMUP:.0%} of the run, and follows a cosine to 0.",
            "Weight decay is constant, or the same multiple of its initial value as lr, or "
            f"λ/(1 + t/τ), with τ a {1 / study.TIMESCALE:.0f}th of the run.",
            f"Weight decay at the start: {listed(study.WEIGHT_DECAYS)}. Peak lr: "
            f"{listed(study.RATES)}.",
            seeds(result),
            "The growth is the mean gradient norm in the last tenth of the run, divided by that in "
            "the second tenth.",
        ]),
        "growth": table(["weight decay", *study.ARMS], rows("growth", 2)),
        "loss": table(["weight decay", *study.ARMS], rows("loss", 3)),
        "rates": table(
            ["weight decay", *study.ARMS],
            (
                [f"{decay:g}", *(rate_of(best[arm], study.RATES) for arm in study.ARMS)]
                for decay, best in by_decay.items()
            ),
        ),
    }  # fmt: skip


def weight_decay_headline(result: Result) -> str:
    study, largest = weight_decay, max(weight_decay.WEIGHT_DECAYS)

    def growths(decays: tuple[float, ...]) -> str:
        best = {arm: study.best_runs(result["runs"], arm, decays) for arm in study.ARMS}
        return ", ".join(
            f"{median([run['growth'] for run in runs]):.2f} ({arm})" for arm, runs in best.items()
        )

    return (
        f"growth of the gradient norm at weight decay {largest:g}: {growths((largest,))}. Each arm "
        f"at its best weight decay: {growths(study.WEIGHT_DECAYS)}"
    )


# -- batch size --------------------------------------------------------------------------------


def batch_size_sections(result: Result) -> dict[str, str]:
    study, runs = batch_size, result["runs"]
    steps = result["settings"]["steps"]
    best = {arm: study.best_runs(runs, arm) for arm in study.ARMS}
    return {
        "setup": bullets([
            *network_and_text(result),
            f"A run has {number(steps * study.BATCH_SIZE)} samples. The first batches have "
            f"{study.BATCH_SIZE}. Weight decay is {study.WEIGHT_DECAY:g}.",
            f"*cosine*: lr is warmed up over {training.WARMUP:.0%} of the samples, and follows a "
            "cosine to 0.",
            f"*staircase*: lr is halved wherever the cosine has halved, {study.NUM_HALVINGS} "
            "times.",
            "*Seesaw*: there, lr is divided by √2 and the batch is doubled. *batch alone*: there, "
            "only the batch is doubled.",
            f"Peak lr: {listed(study.RATES)}.",
            seeds(result),
        ]),
        "arms": table(
            [
                "arm",
                "best peak lr",
                "optimizer steps",
                "validation loss",
                "minus the cosine's",
                "lower in",
            ],
            (
                [
                    arm,
                    rate_of(best[arm], study.RATES),
                    f"{number(best[arm][0]['optimizer_steps'])} "
                    f"({study.share_of_steps(runs, arm):.0%})",
                    spread([run["loss"] for run in best[arm]], 3),
                    *(
                        ["", ""]
                        if arm == "cosine"
                        else compared(study.differences(runs, arm))
                    ),
                ]
                for arm in study.ARMS
            ),
        ),
    }  # fmt: skip


def compared(differences: list[float]) -> list[str]:
    """The spread of the differences, and the number of seeds in which they are below 0."""
    lower = sum(difference < 0 for difference in differences)
    return [spread(differences, 3), f"{lower} of {len(differences)} seeds"]


def batch_size_headline(result: Result) -> str:
    runs = result["runs"]
    difference = median(batch_size.differences(runs, "Seesaw"))
    return (
        f"Seesaw takes {batch_size.share_of_steps(runs, 'Seesaw'):.0%} of the optimizer steps, "
        f"with a validation loss {above(difference)} the cosine's"
    )


# -- one run -----------------------------------------------------------------------------------


def one_run_sections(result: Result) -> dict[str, str]:
    study, runs = one_run, result["runs"]
    forked = study.forked_runs(runs)
    lengths = study.lengths(result["settings"]["steps"])
    taken, of_cosines = study.total_steps(runs)
    differences = study.differences(runs)

    def row(i: int, length: int) -> list[str]:
        cosines = study.cosine_runs(runs, length)
        own = study.forked_runs_of_length(runs, i)
        return [
            number(length),
            f"{spread([run['loss'] for run in cosines], 3)}, lr {rate_of(cosines, study.RATES)}",
            spread([run["loss_before_cooldown"][i] for run in forked], 3),
            spread([run["loss_by_length"][i] for run in forked], 3),
            spread(differences[length], 3),
            f"{spread([run['loss'] for run in own], 3)}, lr {rate_of(own, study.RATES)}",
        ]

    return {
        "setup": bullets([
            *network_and_text(result),
            f"A step has {study.BATCH_SIZE} samples. Weight decay is {study.WEIGHT_DECAY:g}.",
            f"The lengths are {listed(lengths)} steps.",
            f"*cosine*: a run per length. lr is warmed up over {training.WARMUP:.0%} of it, and "
            "follows a cosine to 0. One plan is stretched to each length.",
            f"*one run*: lr is warmed up over {study.warmup_steps(lengths[-1])} steps and stays. "
            f"The last {study.COOLDOWN:.0%} of each length are a cooldown with 1 − √p, forked from "
            "a checkpoint with `replan`.",
            f"lr: {listed(study.RATES)}.",
            seeds(result),
        ]),
        "lengths": table(
            [
                "steps",
                "cosine",
                "before the cooldown",
                "after the cooldown",
                "minus the cosine's",
                "with the best lr of this length",
            ],
            (row(i, length) for i, length in enumerate(lengths)),
        ),
        "steps": (
            f"The one run and its cooldowns took {number(taken)} steps in total, at lr "
            f"{rate_of(forked, study.RATES)}. The cosine runs of one rate took "
            f"{number(of_cosines)}."
        ),
    }  # fmt: skip


def one_run_headline(result: Result) -> str:
    taken, of_cosines = one_run.total_steps(result["runs"])
    found = (
        f"{above(median(difference))} the cosine's at {length} steps"
        for length, difference in one_run.differences(result["runs"]).items()
    )
    return (
        f"{number(taken)} steps instead of {number(of_cosines)}, with a validation loss "
        f"{', '.join(found)}"
    )


def above(difference: float) -> str:
    return f"{abs(difference):.3f} nats {'above' if difference > 0 else 'below'}"


# -- pages -------------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[Result], dict[str, str]]] = {
    "weight_decay": weight_decay_sections,
    "batch_size": batch_size_sections,
    "one_run": one_run_sections,
}
QUESTIONS = {
    "weight_decay": "Does weight decay that follows lr keep the gradient norm from rising?",
    "batch_size": "Can the batch grow instead of lr falling?",
    "one_run": "Can one run replace a run per length?",
}
HEADLINES: dict[str, Callable[[Result], str]] = {
    "weight_decay": weight_decay_headline,
    "batch_size": batch_size_headline,
    "one_run": one_run_headline,
}


def sections(results: dict[str, Result]) -> dict[str, dict[str, str]]:
    """The sections of each page, by the path of the page from docs/studies."""
    pages = {
        name: {
            **SECTIONS[name](result),
            "verdict": verdict(result),
            "holds": claims(result, True),
            "fails": claims(result, False),
            "place": place(result),
        }
        for name, result in results.items()
    }
    rows = [
        [
            f"[{QUESTIONS[name]}](studies/{name}.md)",
            "yes" if results[name]["holds"] else "no",
            HEADLINES[name](results[name]),
        ]
        for name in QUESTIONS
    ]
    total = sum(result["runs_cpu_s"] for result in results.values()) / 60
    runs = sum(len(result["runs"]) for result in results.values())
    spent = f"The full form has {runs} runs, which took {total:.0f} minutes of CPU time."
    overview = table(["question", "holds here", "found"], rows)
    return {**pages, "../examples": {"overview": overview, "spent": spent}}


def renewed(content: str, texts: dict[str, str], page: str) -> str:
    """The content of a page with the text between its marks written anew."""
    for name, text in texts.items():
        content, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda marks, text=text: f"{marks[1]}\n{text}\n\n{marks[2]}",  # type: ignore[misc]
            content,
            flags=re.DOTALL,
        )
        if found != 1:
            raise ValueError(f"{page}: expected the mark <!-- {name} --> once, found {found}")
    return content


def main() -> None:
    for name, texts in sections(read_results()).items():
        page = PAGES / f"{name}.md"
        page.write_text(renewed(page.read_text(encoding="utf-8"), texts, name), encoding="utf-8")


if __name__ == "__main__":
    main()
