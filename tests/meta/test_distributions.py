"""The three distributions belong together: one set of names, one version, one release."""

from __future__ import annotations

import inspect
from importlib import metadata, resources
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
every_package = pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES.keys())

SIBLINGS = (tsa_core, tsa_builtins)
# Names that callers rely on: these stay. A new name need not be entered here.
PROMISED = {
    tsa_core: {
        "CurveSchedule",
        "OptimizerLike",
        "Preview",
        "ProxyOptimizer",
        "SynchronousSchedule",
        "arbitrary_schedule_factory",
        "extend_optimizer",
        "get_param_groups_regrouped_by_key",
        "preview",
    },
    tsa_builtins: {
        "constant_schedule",
        "constant_with_inverse_warmup",
        "constant_with_warmup",
        "cosine_annealing_with_inverse_warmup",
        "cosine_annealing_with_warmup",
        "curves",
        "linear_schedule_with_inverse_warmup",
        "linear_schedule_with_warmup",
        "polynomial_schedule_with_inverse_warmup",
        "polynomial_schedule_with_warmup",
        "quadratic_schedule_with_inverse_warmup",
        "quadratic_schedule_with_warmup",
        "sqrt_schedule_with_inverse_warmup",
        "sqrt_schedule_with_warmup",
    },
}
# Names of ``tsa_core`` that the meta-package leaves out. 1.2.3 had none of them.
FOR_AUTHORS = {
    "OptimizerLike",
    "ProxyOptimizer",
    "SchedulerForm",
    "register_curves",
    "torch_schedulers",
}


@pytest.mark.parametrize("package", SIBLINGS, ids=lambda package: package.__name__)
def test_the_promised_names_are_there(package: Any) -> None:
    """Each package offers the names that it promises, and a version."""
    assert PROMISED[package] | {"__version__"} <= set(package.__all__)


def test_the_meta_package_has_the_names_that_users_need() -> None:
    """The meta-package offers every name of its siblings but those for authors, and no other."""
    both = {name for package in SIBLINGS for name in package.__all__}
    assert set(tsa_core.__all__) >= FOR_AUTHORS
    assert set(torch_schedule_anything.__all__) == both - FOR_AUTHORS


def test_dir_of_the_meta_package_shows_what_users_need() -> None:
    """``dir`` and a star import have the same names: no name of an import leaks."""
    shown = {name for name in dir(torch_schedule_anything) if name[0] != "_"}
    imported: dict[str, Any] = {}
    exec("from torch_schedule_anything import *", imported)
    assert imported.keys() - {"__builtins__"} == shown | {"__version__"}
    assert shown == set(torch_schedule_anything.__all__) - {"__version__"}
    assert imported["__version__"] == torch_schedule_anything.__version__


@every_package
def test_a_star_import_gives_all_names(package: Any) -> None:
    """Each name in ``__all__`` is there once, and the package has it."""
    assert len(package.__all__) == len(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("package", SIBLINGS, ids=lambda package: package.__name__)
def test_the_meta_package_re_exports_the_very_objects(package: Any) -> None:
    """A class is the same class wherever it is imported from, so ``isinstance`` holds."""
    for name in set(package.__all__) - {"__version__"} - FOR_AUTHORS:
        assert getattr(torch_schedule_anything, name) is getattr(package, name)


def test_all_distributions_have_one_version() -> None:
    """The packages, the installed metadata of all three and CITATION.cff say the same version."""
    (version,) = {package.__version__ for package in PACKAGES.values()}
    assert {metadata.version(name) for name in PACKAGES} == {version}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation


@pytest.mark.parametrize(
    ("name", "siblings"),
    [
        ("tsa-core", []),
        ("tsa-builtins", ["tsa-core"]),
        ("torch-schedule-anything", ["tsa-builtins", "tsa-core"]),
    ],
)
def test_pins_between_distributions_are_exact(name: str, siblings: list[str]) -> None:
    """A distribution needs its siblings at exactly its own version."""
    version = metadata.version(name)
    required = metadata.requires(name) or []
    assert sorted(r for r in required if r.startswith(("tsa-", "torch-"))) == [
        f"{sibling}=={version}" for sibling in siblings
    ]


def needed(distribution: str) -> list[str]:
    return [r for r in metadata.requires(distribution) or [] if "extra ==" not in r]


def test_nothing_is_needed_but_torch() -> None:
    """The core needs torch alone. The others need it and their siblings alone."""
    (requirement,) = needed("tsa-core")
    assert requirement.startswith("torch>=2.0")
    for name in ("tsa-builtins", "torch-schedule-anything"):
        required = needed(name)
        assert all(r.startswith(("tsa-", "torch>=2.0")) for r in required)


@pytest.mark.parametrize(("name", "package"), PACKAGES.items(), ids=PACKAGES.keys())
def test_the_installed_files_are_those_of_the_checkout(name: str, package: Any) -> None:
    """A stale wheel is noticed: each installed file has the bytes of its source."""
    sources = ROOT / "packages" / name / "src" / package.__name__
    installed = Path(package.__file__).parent
    assert files_of(installed) == files_of(sources), "the sources changed after the installation"


def files_of(folder: Path) -> dict[Path, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


@every_package
def test_types_are_shipped(package: Any) -> None:
    """``py.typed`` is in the package, without which type checkers ignore its types."""
    assert resources.files(package).joinpath("py.typed").is_file()


@every_package
def test_every_public_name_has_a_docstring(package: Any) -> None:
    """The package and each of its public names have a docstring."""
    assert package.__doc__
    public = [name for name in package.__all__ if name != "__version__"]
    assert [name for name in public if not inspect.getdoc(getattr(package, name))] == []


@pytest.mark.parametrize(
    "name", [name for name in tsa_core.__all__ if inspect.isclass(getattr(tsa_core, name))]
)
def test_every_public_method_has_a_docstring(name: str) -> None:
    """Each method and property that a class adds to its bases has a docstring."""
    own, *inherited = getattr(tsa_core, name).__mro__
    added = [
        key
        for key, member in vars(own).items()
        if (key[0] != "_" or key == "__call__")
        and (inspect.isfunction(member) or isinstance(member, property))
        and not any(key in vars(base) for base in inherited)
    ]
    assert added
    assert [key for key in added if not inspect.getdoc(getattr(own, key))] == []


def test_every_curve_has_a_docstring() -> None:
    """Each public name of ``tsa_builtins.curves`` has a docstring."""
    curves = tsa_builtins.curves
    assert [name for name in curves.__all__ if not inspect.getdoc(getattr(curves, name))] == []


def test_each_distribution_has_the_license() -> None:
    """The copies of the license in the distributions equal that of the repository."""
    license_text = (ROOT / "LICENSE").read_bytes()
    assert b"MIT License" in license_text
    for name in PACKAGES:
        assert (ROOT / "packages" / name / "LICENSE").read_bytes() == license_text


def test_curves_can_be_imported_from_the_meta_package() -> None:
    """``torch_schedule_anything.curves`` is the module ``tsa_builtins.curves``."""
    from torch_schedule_anything.curves import Linear

    assert Linear is tsa_builtins.curves.Linear
