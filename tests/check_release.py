"""Check that the files in a folder can be released: `python tests/check_release.py dist`.

`nox -s release_check` runs it. The three wheels need one version and exact pins on one another. The
changelog needs an entry for that version, and a tag on the commit must name it. Since the last
release, no public name may be removed or changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import griffe

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = ("tsa-core", "tsa-builtins", "torch-schedule-anything")


def main(dist: Path) -> None:
    version = check_metadata(dist)
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    entry = entries.get(version, "").strip()
    assert entry, f"CHANGELOG.md: the entry '## {version}' is missing or empty"
    here = git("tag", "--points-at", "HEAD")
    others = [tag for tag in here if tag.startswith("v") and tag != f"v{version}"]
    assert not others, f"this commit is tagged {others}, but has version {version}"
    releases = git("tag", "--list", "v*", "--sort=-version:refname")
    last_tag = next((tag for tag in releases if tag != f"v{version}"), None)
    if last_tag is None:
        print("this is the first tagged release: its API is not compared")
    else:
        check_api(last_tag, version)
    print(f"{version} can be released")


def check_metadata(dist: Path) -> str:
    """All wheels have one version, and pin each other to exactly it; returns that version."""
    wheels: dict[str, Message] = {}
    for name in DISTRIBUTIONS:
        (wheel,) = dist.glob(f"{name.replace('-', '_')}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (path,) = (path for path in archive.namelist() if path.endswith("/METADATA"))
            wheels[name] = HeaderParser().parsestr(archive.read(path).decode())
    versions = {name: wheel["Version"] for name, wheel in wheels.items()}
    (version, *others) = set(versions.values())
    assert not others, f"versions differ: {versions}"
    for i, name in enumerate(DISTRIBUTIONS):
        requirements = wheels[name].get_all("Requires-Dist", [])
        pins = {text for text in requirements if text.startswith(DISTRIBUTIONS)}
        expected = {f"{needed}=={version}" for needed in DISTRIBUTIONS[:i]}
        assert pins == expected, f"{name}: expected the pins {expected}, got {pins}"
    return version


def check_api(last_tag: str, version: str) -> None:
    """A release with the major version of ``last_tag`` breaks no caller of it."""
    breakages = []
    for name in DISTRIBUTIONS:
        package, sources = name.replace("-", "_"), f"packages/{name}/src"
        old = griffe.load_git(package, ref=last_tag, repo=ROOT, search_paths=[sources])
        new = griffe.load(package, search_paths=[ROOT / sources])
        breakages += griffe.find_breaking_changes(old, new)
    for breakage in breakages:
        print(breakage.explain(griffe.ExplanationStyle.ONE_LINE))
    print(f"{len(breakages)} breaking changes since {last_tag}")
    same_major = last_tag.removeprefix("v").split(".")[0] == version.split(".")[0]
    assert not (breakages and same_major), f"{version} breaks callers of {last_tag}"


def git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
