"""The README shows the code as it is, and leads to files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_pictures_are_current(tmp_path: Path) -> None:
    """The pictures in the repository have the values of the schedules that the README builds."""
    script = str(ROOT / "docs" / "readme_picture.py")
    subprocess.run([sys.executable, script, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    for name in ("readme-light.svg", "readme-dark.svg"):
        drawn = (tmp_path / name).read_bytes()
        kept = (ROOT / "docs" / "_static" / name).read_bytes()
        assert drawn == kept, "run `python docs/readme_picture.py`"
        assert f"docs/_static/{name}" in README


def test_every_link_leads_to_a_file() -> None:
    """Each link into the repository names a file that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", README)
    targets += re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_the_install_lines_name_folders_of_all_distributions() -> None:
    """Each distribution comes from its folder, so pip asks the index for none of them."""
    commands = re.findall(r"(?m)^pip install (\./packages/.*)$", README)
    folders = [set(re.findall(r"\./packages/([\w-]+)", command)) for command in commands]
    assert folders
    assert folders == [{path.name for path in (ROOT / "packages").iterdir()}] * len(folders)
    assert all((ROOT / "packages" / name / "pyproject.toml").is_file() for name in folders[0])


def test_every_session_is_in_the_noxfile() -> None:
    """Each ``nox -s NAME`` of the README is a session."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = set(re.findall(r"nox -s (\w+)", README))
    assert {"demo", "tests"} <= sessions
    assert sessions <= set(re.findall(r"(?m)^def (\w+)\(session", noxfile))
