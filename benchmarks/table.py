"""Print what step_cost.py and peers.py found: python table.py FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def verdict(of: dict[str, Any]) -> str:
    if of["bound"] is None:
        return ""
    return f"at most {of['bound']:<4}  {'holds' if of['holds'] else 'MISSED'}"


def main(folder: Path) -> None:
    ours = json.loads((folder / "torch_schedule_anything.json").read_text())
    print(", ".join(f"{what} {value}" for what, value in ours["machine"].items()))
    print(f"\n{'step of':<32}{'against':<24}{'groups':>7}{'µs':>11}{'µs':>11}{'ratio':>8}")
    for row in ours["steps"]:
        print(
            f"{row['what']:<32}{row['against']:<24}{row['groups']:>7}"
            f"{row['us']:>11.2f}{row['against_us']:>11.2f}{row['ratio']:>8.3f}  {verdict(row)}"
        )
    print(f"\nimport after torch: {ours['import']['ms']} ms  {verdict(ours['import'])}")
    for what, kept in ours["memory"]["bytes"].items():
        bound = verdict(ours["memory"]) if what == "a built-in" else ""
        print(f"kept by {what}: {kept} bytes a group  {bound}")
    for what, us in ours["parts_us"].items():
        print(f"{what}: {us * 1000:.0f} ns")
    print("\nother libraries against LambdaLR on lr, each in its own environment")
    for path in sorted(folder.glob("peer_*.json")):
        result = json.loads(path.read_text())
        peer = f"{result['peer']['distribution']} {result['peer']['version']}"
        for row in result["steps"]:
            apart = "" if row["groups_apart"] else "  one value for all groups"
            print(
                f"{peer:<32}{row['what']:<32}{row['groups']:>7}{row['us']:>11.2f}"
                f"{row['against_us']:>11.2f}{row['ratio']:>8.3f}{apart}"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
