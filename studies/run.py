"""Run the studies in full, and print what holds.

    python studies/run.py [NAME ...] [--workers 2]

The runs go on where an interrupted call stopped. The results are written to studies/results/, one
JSON file per study. Each has the versions, the seeds, and the seconds of each run. studies/pages.py
writes them into the pages of the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import torch
from corpus import load_corpus
from jobs import HERE, described, run_all
from measures import Claim

STUDIES = ("weight_decay", "batch_size", "one_run")
RESULTS = HERE / "results"


def processor() -> str:
    """The maker and the family of the processor, where Linux tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def described_place() -> dict[str, Any]:
    """The versions, the machine and the text, on all of which the numbers depend."""
    corpus = load_corpus()
    return {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torch-schedule-anything": metadata.version("torch-schedule-anything"),
        },
        "machine": {
            "cpu": processor(),
            "cores": os.cpu_count(),
            "system": platform.system(),
        },
        "text": {
            "sha256": corpus.sha256,
            "training_characters": len(corpus.training),
            "held_out_characters": len(corpus.held_out),
        },
    }


def verdict(claims: list[Claim]) -> bool:
    return all(claim.holds for claim in claims if claim.decisive)


def with_verdict(study: Any, result: dict[str, Any]) -> dict[str, Any]:
    """The result with the criterion, the claims and the verdict, as its runs say."""
    runs = [shortened(run) for run in result["runs"]]
    claims = study.claims(runs)
    return {
        "study": study.NAME,
        "criterion": study.CRITERION,
        "holds": verdict(claims),
        "claims": [vars(claim) for claim in claims],
        **{key: value for key, value in result.items() if key != "runs"},
        "runs": runs,
    }


def shortened(value: Any) -> Any:
    """Numbers with seven digits, which is what float32 has."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [shortened(element) for element in value]
    if isinstance(value, dict):
        return {key: shortened(element) for key, element in value.items()}
    return value


def write(path: Path, result: dict[str, Any]) -> None:
    """JSON with one line per entry and per run."""
    head = [f"{json.dumps(key)}: {json.dumps(result[key], ensure_ascii=False)}" for key in result]
    head = [line for key, line in zip(result, head) if key not in ("runs", "claims")]
    lists = [
        f"{json.dumps(key)}: [\n"
        + ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in result[key])
        + "\n ]"
        for key in ("claims", "runs")
    ]
    path.write_text("{\n " + ",\n ".join([*head, *lists]) + "\n}\n", encoding="utf-8")


def print_claims(result: dict[str, Any]) -> None:
    print(f"\n{result['study']}: {'HOLDS' if result['holds'] else 'DOES NOT HOLD'}")
    print(f"  criterion: {result['criterion']}")
    for claim in result["claims"]:
        mark = "yes" if claim["holds"] else "no "
        print(f"  {mark} {claim['text']}: {claim['evidence']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(STUDIES)
    if unknown:
        parser.error(f"no study is called {', '.join(sorted(unknown))}; choose from {STUDIES}")
    RESULTS.mkdir(exist_ok=True)
    for name in arguments.names or STUDIES:
        study = import_module(name)
        runs = run_all(name, study.jobs(study.FULL), arguments.workers)
        result = {
            "settings": described(study.FULL),
            **described_place(),
            "workers": arguments.workers,
            # Of all runs one after the other, also of those that an earlier call has finished.
            "runs_wall_s": round(sum(run["wall_s"] for run in runs)),
            "runs_cpu_s": round(sum(run["cpu_s"] for run in runs)),
            "runs": runs,
        }
        result = with_verdict(study, result)
        write(RESULTS / f"{name}.json", result)
        print_claims(result)


if __name__ == "__main__":
    main()
