"""The scripts of the documentation, with their config files, started as a reader starts them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TITLED = re.compile(r'^```\w+ title="([\w./]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def files_of(page: str, folder: Path) -> dict[str, Path]:
    """Every block of the page that has the name of a file, written to that file."""
    written = {}
    for name, text in TITLED.findall((DOCS / page).read_text(encoding="utf-8")):
        written[name] = folder / name
        written[name].parent.mkdir(exist_ok=True)
        written[name].write_text(text, encoding="utf-8")
    return written


def printed(script: Path, *arguments: str, launcher: tuple[str, ...] = ()) -> str:
    """Python, or a launcher, runs the script; returns the text that it printed."""
    completed = subprocess.run(
        [sys.executable, *launcher, script.name, *arguments],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout
