"""The three distributions belong together: one set of names, one version, one release."""

from __future__ import annotations

import inspect
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import torch_schedule_anything
import tsa_builtins
import tsa_core

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "tsa-core": tsa_core,
    "tsa-builtins": tsa_builtins,
    "torch-schedule-anything": torch_schedule_anything,
}
every_distribution = pytest.mark.parametrize(("name", "package"), PACKAGES.items(), ids=PACKAGES)

# Names that callers rely on, beside the built-ins: these stay.
PROMISED = """
    CurveSchedule OptimizerLike Preview ProxyOptimizer SynchronousSchedule curves
    arbitrary_schedule_factory extend_optimizer get_param_groups_regrouped_by_key preview
"""
# Names of ``tsa_core`` that the meta-package leaves out. 1.2.3 had none of them.
FOR_AUTHORS = {
    "OptimizerLike",
    "ProxyOptimizer",
    "SchedulerForm",
    "register_curves",
    "torch_schedulers",
}


def without_docstring(owner: Any, names: list[str]) -> list[str]:
    return [name for name in names if not inspect.getdoc(getattr(owner, name))]


@every_distribution
def test_a_package_has_each_of_its_names_with_a_docstring(name: str, package: Any) -> None:
    """A version is there, each name once, and all but the version are documented."""
    public = package.__all__
    assert "__version__" in public
    assert len(public) == len(set(public))
    assert package.__doc__
    assert without_docstring(package, [each for each in public if each != "__version__"]) == []


def test_curves_and_the_methods_of_classes_have_docstrings() -> None:
    """So has each name of ``curves``, and each method that a class adds to its bases."""
    curves = tsa_builtins.curves
    assert without_docstring(curves, curves.__all__) == []
    for public in filter(inspect.isclass, (getattr(tsa_core, name) for name in tsa_core.__all__)):
        inherited = {key for base in public.__mro__[1:] for key in vars(base)}
        added = [
            key
            for key, member in vars(public).items()
            if (key[0] != "_" or key == "__call__")
            and (inspect.isfunction(member) or isinstance(member, property))
            and key not in inherited
        ]
        assert added
        assert without_docstring(public, added) == []


def test_the_meta_package_has_the_names_that_users_need() -> None:
    """These are the very objects of its siblings, but those for authors; no import leaks."""
    assert set(tsa_core.__all__) >= FOR_AUTHORS
    both = {*tsa_core.__all__, *tsa_builtins.__all__}
    assert both >= {*PROMISED.split()}
    assert set(torch_schedule_anything.__all__) == both - FOR_AUTHORS
    for package in PACKAGES.values():
        for name in set(package.__all__) - FOR_AUTHORS - {"__version__"}:
            assert getattr(torch_schedule_anything, name) is getattr(package, name)
        assert not hasattr(package, "no_such_name")
    assert {name for name in dir(torch_schedule_anything) if name[0] != "_"} <= {*both}
    imported: dict[str, Any] = {}
    exec("from torch_schedule_anything import *", imported)
    assert imported.keys() - {"__builtins__"} == set(torch_schedule_anything.__all__)
    assert imported["__version__"] == torch_schedule_anything.__version__

    from torch_schedule_anything.curves import Linear

    assert Linear is tsa_builtins.curves.Linear


@every_distribution
def test_a_distribution_needs_torch_and_its_siblings_of_the_same_version(
    name: str, package: Any
) -> None:
    """All have one version, as has CITATION.cff, and need exactly that one of those before."""
    siblings = sorted([*PACKAGES][: [*PACKAGES].index(name)])
    version = torch_schedule_anything.__version__
    assert {package.__version__, metadata.version(name)} == {version}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation

    needed = [r for r in metadata.requires(name) or [] if "extra ==" not in r]
    of_torch = [r for r in needed if r.startswith("torch>=2.0")]
    assert len(of_torch) == 1 or siblings
    assert sorted(set(needed) - set(of_torch)) == [f"{each}=={version}" for each in siblings]


@every_distribution
def test_the_installed_files_are_those_of_the_checkout(name: str, package: Any) -> None:
    """A stale wheel is noticed. The types are installed, and the license is the repository's."""
    sources = ROOT / "packages" / name / "src" / package.__name__
    installed = files_of(Path(package.__file__).parent)
    assert installed == files_of(sources), "the sources changed after the installation"
    assert Path("py.typed") in installed  # without it, type checkers ignore the types
    license_text = (ROOT / "LICENSE").read_bytes()
    assert b"MIT License" in license_text
    assert (ROOT / "packages" / name / "LICENSE").read_bytes() == license_text


def files_of(folder: Path) -> dict[Path, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder): path.read_bytes() for path in paths}
