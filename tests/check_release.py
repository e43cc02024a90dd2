"""Check what would be released: `python tests/check_release.py dist`.

Run by `nox -s release_check`. One version and exact pins, an entry in the changelog, a tag that
says the same, and nothing public taken away or changed since the last release.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import griffe

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = ("tsa-core", "tsa-builtins", "torch-schedule-anything")


def main(dist: Path) -> None:
    version = check_metadata(dist)
    check_changelog((ROOT / "CHANGELOG.md").read_text(), version)
    check_tag(git("tag", "--points-at", "HEAD"), version)
    last = last_release(git("tag", "--list", "v*", "--sort=-version:refname"), version)
    if last is None:
        print("no release is tagged before this one: there is no API to compare with")
    else:
        check_api(last, version)
    print(f"{version} can be released")


def check_metadata(dist: Path) -> str:
    """The one version. Each distribution pins those of ours that it needs to exactly that."""
    wheels = {name: metadata(dist, name) for name in DISTRIBUTIONS}
    versions = {name: wheel["Version"] for name, wheel in wheels.items()}
    (version, *others) = set(versions.values())
    assert not others, f"versions differ: {versions}"
    for i, name in enumerate(DISTRIBUTIONS):
        requirements = wheels[name].get_all("Requires-Dist", [])
        ours = {text for text in requirements if text.startswith(DISTRIBUTIONS)}
        pins = {f"{needed}=={version}" for needed in DISTRIBUTIONS[:i]}
        assert ours == pins, f"{name}: expected the pins {pins}, got {ours}"
    return version


def metadata(dist: Path, name: str):
    (wheel,) = dist.glob(f"{name.replace('-', '_')}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(path).decode())


def check_changelog(text: str, version: str) -> None:
    entries = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    entry = entries.get(version, "").strip()
    assert entry, f"CHANGELOG.md: there is nothing under '## {version}'"


def check_tag(tags: list[str], version: str) -> None:
    wrong = [tag for tag in tags if tag.startswith("v") and tag != f"v{version}"]
    assert not wrong, f"this commit is tagged {wrong}, and the version is {version}"


def last_release(tags: list[str], version: str) -> str | None:
    return next((tag for tag in tags if tag != f"v{version}"), None)


def check_api(last: str, version: str) -> None:
    """Nothing that would break a caller, unless the major version says so."""
    breakages = []
    for name in DISTRIBUTIONS:
        package, sources = name.replace("-", "_"), f"packages/{name}/src"
        old = griffe.load_git(package, ref=last, repo=ROOT, search_paths=[sources])
        new = griffe.load(package, search_paths=[ROOT / sources])
        breakages += griffe.find_breaking_changes(old, new)
    for breakage in breakages:
        print(breakage.explain(griffe.ExplanationStyle.ONE_LINE))
    print(f"{len(breakages)} breaking changes since {last}")
    same_major = last.removeprefix("v").split(".")[0] == version.split(".")[0]
    assert not (breakages and same_major), f"{version} breaks callers of {last}"


def git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
