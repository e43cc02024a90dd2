"""Check the six files that `nox -s build` makes: `python tests/check_dist.py dist`."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = ("tsa-core", "tsa-builtins", "torch-schedule-anything")


def main(dist: Path) -> None:
    (version,) = {version_in_sources(name) for name in DISTRIBUTIONS}
    stems = [f"{name.replace('-', '_')}-{version}" for name in DISTRIBUTIONS]
    expected = {f"{stem}-py3-none-any.whl" for stem in stems} | {f"{stem}.tar.gz" for stem in stems}
    built = {path.name for path in dist.iterdir()}
    assert built == expected, f"expected {sorted(expected)}, got {sorted(built)}"
    license_text = (ROOT / "LICENSE").read_bytes()
    for stem in stems:
        package = stem.rpartition("-")[0]
        names = check_wheel(dist / f"{stem}-py3-none-any.whl", package, license_text)
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(dist / f"{stem}.tar.gz") as archive:
                archive.extractall(folder, filter="data")
            command = ["hatch", "build", "-t", "wheel", f"{folder}/out"]
            subprocess.run(command, cwd=f"{folder}/{stem}", check=True)
            (rebuilt,) = Path(folder, "out").glob("*.whl")
            names_from_sdist = check_wheel(rebuilt, package, license_text)
            assert names_from_sdist == names, f"{stem}: the wheel that its sdist makes differs"
    print(f"{len(built)} files of version {version} are complete")


def version_in_sources(distribution: str) -> str:
    module = ROOT / "packages" / distribution / "src" / distribution.replace("-", "_")
    (version,) = re.findall(r'(?m)^__version__ = "(.+)"$', (module / "__init__.py").read_text())
    return version


def check_wheel(wheel: Path, package: str, license_text: bytes) -> list[str]:
    """A wheel has ``py.typed`` and the project's LICENSE; returns the names of its files."""
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist())
        assert f"{package}/py.typed" in names, f"{wheel.name}: py.typed is missing"
        (license_name,) = (name for name in names if name.endswith("/LICENSE"))
        assert archive.read(license_name) == license_text, f"{wheel.name}: LICENSE differs"
    return names


if __name__ == "__main__":
    main(Path(sys.argv[1]))
