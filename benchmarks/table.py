"""Print the results of step_cost.py and peers.py: python table.py FOLDER [PAGE.md].

In PAGE.md the text between each ``<!-- name -->`` and ``<!-- end -->`` is written anew. A page gets
ratios and bytes, because times say more of the machine than of the code.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def verdict(row: dict[str, Any]) -> str:
    if row["bound"] is None:
        return ""
    return f"at most {row['bound']:<4}  {'holds' if row['holds'] else 'MISSED'}"


def show(ours: dict[str, Any], peers: list[dict[str, Any]]) -> None:
    print(machine(ours))
    print(f"\n{'step of':<50}{'against':<26}{'groups':>7}{'µs':>11}{'µs':>11}{'ratio':>8}")
    for row in ours["steps"]:
        print(
            f"{row['what']:<50}{row['against']:<26}{row['groups']:>7}"
            f"{row['us']:>11.2f}{row['against_us']:>11.2f}{row['ratio']:>8.3f}  {verdict(row)}"
        )
    print(f"\nimport after torch: {ours['import']['ms']} ms  {verdict(ours['import'])}")
    print(f"preview of 100,000 steps: {ours['preview']['s']} s  {verdict(ours['preview'])}")
    for row in ours["memory"]:
        print(f"kept by {row['what']}: {row['bytes']} bytes per group  {verdict(row)}")
    for part, us in ours["parts_us"].items():
        print(f"{part}: {us * 1000:.0f} ns")
    print("\nother libraries against LambdaLR on lr, each in a separate environment")
    for result in peers:
        for row in result["steps"]:
            print(
                f"{library(result):<32}{row['what']:<32}{row['groups']:>7}{row['us']:>11.2f}"
                f"{row['against_us']:>11.2f}{row['ratio']:>8.3f}{remark(row)}"
            )


# -- for the documentation ---------------------------------------------------------------------


def machine(result: dict[str, Any]) -> str:
    figures = result["machine"]
    return (
        f"{figures['cpu']}, {figures['cores']} cores, {figures['system']}, "
        f"Python {figures['python']}, torch {figures['torch']}"
    )


def library(result: dict[str, Any]) -> str:
    return f"{result['peer']['distribution']} {result['peer']['version']}"


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(map(str, cells)) for cells in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rows_by_pair(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[int, dict[str, Any]]]:
    """The rows of each compared pair by number of groups, if all numbers of groups were measured.

    The first of a pair is the step that was measured, the second is the step to compare with.
    """
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["what"], row.get("against", "")), {})[row["groups"]] = row
    group_counts = {row["groups"] for row in rows}
    return {pair: by_groups for pair, by_groups in found.items() if set(by_groups) == group_counts}


def ratio(row: dict[str, Any]) -> str:
    text = f"{row['ratio']:.2f}"
    if row.get("bound") is None:
        return text
    return f"{text} ≤ {row['bound']}" if row["holds"] else f"**{text}** > {row['bound']}"


def remark(row: dict[str, Any]) -> str:
    return "" if row["groups_apart"] else " (one value for all)"


def size(row: dict[str, Any]) -> str:
    text = f"{row['bytes']} bytes"
    return f"**{text}**" if row["holds"] is False else text


def times(value: float, unit: float) -> str:
    return f"{value / unit:.1f}" if value < 100 * unit else f"{value / unit:.0f}"


def sections(ours: dict[str, Any], peers: list[dict[str, Any]]) -> dict[str, str]:
    steps = rows_by_pair(ours["steps"])
    group_counts = sorted({row["groups"] for row in ours["steps"]})
    parts = ours["parts_us"]
    bounded = [row for row in (*ours["steps"], *ours["memory"]) if row["bound"] is not None]
    missed = [row for row in bounded if not row["holds"]]
    us = {
        measured: by_groups
        for (measured, against), by_groups in steps.items()
        if against == "LambdaLR on lr"
    }
    us["torch's LambdaLR on lr"] = {
        groups: {"us": row["against_us"]} for groups, row in us["a built-in"].items()
    }
    us["the bare loop"] = {
        groups: {"us": row["against_us"]}
        for groups, row in steps["a built-in", "the bare loop"].items()
    }
    against_torch = [row for row in ours["steps"] if row["against"] == "LambdaLR on lr"]
    several = [row for row in against_torch if row["what"].endswith(" in step")]
    views = [row for row in ours["steps"] if row["against"] == "ExponentialLR, bare view"]
    present = steps["ExponentialLR on weight_decay", "ExponentialLR on lr"][1000]
    views.append({**present, "what": "… and finds the group by its position: the present view"})
    views += [row for row in ours["steps"] if row["against"] == "ExponentialLR, other view"]
    other_targets = [row for row in ours["steps"] if row["against"] == "a built-in"]
    head = [f"{groups:,}".replace(",", " ") for groups in group_counts]
    return {
        "machine": f"{machine(ours)}.",
        "bounds": table(
            ["a step of", "against", *head],
            (
                [*pair, *(ratio(by_groups[groups]) for groups in group_counts)]
                for pair, by_groups in steps.items()
            ),
        ),
        "missed": f"Missed, here and below: {len(missed)} of {len(bounded)}.",
        "other": table(
            ["", "found", "at most"],
            (
                [f"kept by {row['what']}, per group", size(row), row["bound"] or ""]
                for row in ours["memory"]
            ),
        ),
        "views": table(
            ["a view that", "ratio"],
            ([row["what"], f"{row['ratio']:.2f}"] for row in views),
        ),
        "groups": table(
            ["in steps on one group", *head],
            (
                [
                    measured,
                    *(times(by_groups[n]["us"], by_groups[1]["us"]) for n in group_counts),
                ]
                for measured, by_groups in us.items()
            ),
        ),
        "targets": table(
            ["100 param groups", "in steps of one built-in"],
            [
                *(
                    [
                        f"schedules in step: {row['what'].split()[0]}",
                        times(row["ratio"], several[0]["ratio"]),
                    ]
                    for row in several
                ),
                *([row["what"], f"{row['ratio']:.1f}"] for row in other_targets),
            ],
        ),
        "parts": table(
            ["", "in reads of a dict"],
            ([part, times(us, parts["reading a dict"])] for part, us in parts.items()),
        ),
        "peers": table(
            ["library", "schedule", *head],
            (
                [
                    library(result),
                    f"`{schedule}`{remark(by_groups[1000])}",
                    *(ratio(by_groups[groups]) for groups in group_counts),
                ]
                for result in peers
                for (schedule, _), by_groups in rows_by_pair(result["steps"]).items()
            ),
        ),
    }  # fmt: skip


def renew(page: Path, texts: dict[str, str]) -> None:
    content = page.read_text()
    for name, text in texts.items():
        content, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda marks, text=text: f"{marks[1]}\n{text}\n\n{marks[2]}",
            content,
            flags=re.DOTALL,
        )
        if not found:
            raise ValueError(f"{page}: the mark <!-- {name} --> is missing")
    page.write_text(content)


def main(folder: Path, *pages: Path) -> None:
    ours = json.loads((folder / "torch_schedule_anything.json").read_text())
    peers = [json.loads(path.read_text()) for path in sorted(folder.glob("peer_*.json"))]
    show(ours, peers)
    for page in pages:
        renew(page, sections(ours, peers))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
