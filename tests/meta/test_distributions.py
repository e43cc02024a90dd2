"""The three distributions are one: one surface, one version, released together."""

from __future__ import annotations

import inspect
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest

import torch_schedule_anything
import tsa_builtins
import tsa_core

PACKAGES = {
    "tsa-core": tsa_core,
    "tsa-builtins": tsa_builtins,
    "torch-schedule-anything": torch_schedule_anything,
}
every_package = pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES.keys())

CORE = {
    "CurveSchedule",
    "OptimizerLike",
    "Preview",
    "ProxyOptimizer",
    "SynchronousSchedule",
    "arbitrary_schedule_factory",
    "extend_optimizer",
    "get_param_groups_regrouped_by_key",
    "preview",
}
BUILTINS = {
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
}


def test_the_promised_names_are_there() -> None:
    """Each package offers what it promises, and the meta-package both, with a version."""
    assert set(tsa_core.__all__) == CORE | {"__version__"}
    assert set(tsa_builtins.__all__) == BUILTINS | {"__version__"}
    assert set(torch_schedule_anything.__all__) == CORE | BUILTINS | {"__version__"}


@every_package
def test_a_star_import_gives_all_names(package: Any) -> None:
    """``__all__`` is sorted, without doubles, and each name of it can be had."""
    assert len(package.__all__) == len(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("name", sorted(CORE | BUILTINS))
def test_the_meta_package_re_exports_the_very_objects(name: str) -> None:
    """A class is the same class wherever it is imported from, so ``isinstance`` holds."""
    home = tsa_core if name in CORE else tsa_builtins
    assert getattr(torch_schedule_anything, name) is getattr(home, name)


def test_one_version() -> None:
    """All three say the same version, in the package and in what is installed."""
    (version,) = {package.__version__ for package in PACKAGES.values()}
    assert {metadata.version(name) for name in PACKAGES} == {version}


@pytest.mark.parametrize(
    ("name", "siblings"),
    [
        ("tsa-core", []),
        ("tsa-builtins", ["tsa-core"]),
        ("torch-schedule-anything", ["tsa-builtins", "tsa-core"]),
    ],
)
def test_pins_between_them_are_exact(name: str, siblings: list[str]) -> None:
    """Each needs its siblings at its own version, and no other release of them."""
    version = metadata.version(name)
    required = metadata.requires(name) or []
    assert sorted(r for r in required if r.startswith(("tsa-", "torch-"))) == [
        f"{sibling}=={version}" for sibling in siblings
    ]


def needed(distribution: str) -> list[str]:
    return [r for r in metadata.requires(distribution) or [] if "extra ==" not in r]


def test_nothing_is_needed_but_torch() -> None:
    """The core needs torch alone, and the others need nothing beyond it and their siblings."""
    (requirement,) = needed("tsa-core")
    assert requirement.startswith("torch>=2.0")
    for name in ("tsa-builtins", "torch-schedule-anything"):
        required = needed(name)
        assert all(r.startswith(("tsa-", "torch>=2.0")) for r in required)


@every_package
def test_types_are_shipped(package: Any) -> None:
    """``py.typed`` is in the package, or type checkers would ignore what it says."""
    assert resources.files(package).joinpath("py.typed").is_file()


@every_package
def test_every_public_name_has_a_docstring(package: Any) -> None:
    """The package and each name in it explain themselves."""
    assert package.__doc__
    public = [name for name in package.__all__ if name != "__version__"]
    assert [name for name in public if not inspect.getdoc(getattr(package, name))] == []


@pytest.mark.parametrize("name", sorted(name for name in CORE if name[0].isupper()))
def test_every_public_method_has_a_docstring(name: str) -> None:
    """So does each method and property that a class adds to what it inherits."""
    own, *inherited = getattr(tsa_core, name).__mro__
    added = [
        key
        for key, member in vars(own).items()
        if key[0] != "_"
        and (inspect.isfunction(member) or isinstance(member, property))
        and not any(key in vars(base) for base in inherited)
    ]
    assert added
    assert [key for key in added if not inspect.getdoc(getattr(own, key))] == []


def test_the_curves_are_documented() -> None:
    """So is every curve, and ``join``."""
    curves = tsa_builtins.curves
    assert [name for name in curves.__all__ if not inspect.getdoc(getattr(curves, name))] == []


def test_each_distribution_has_the_license() -> None:
    """The copies, which wheels and sdists carry, are equal to the repository's."""
    root = Path(__file__).parents[2]
    license_text = (root / "LICENSE").read_bytes()
    assert b"MIT License" in license_text
    for name in PACKAGES:
        assert (root / "packages" / name / "LICENSE").read_bytes() == license_text


def test_curves_can_be_imported_from_the_meta_package() -> None:
    """By the path that the attribute suggests, and it is the same module."""
    from torch_schedule_anything.curves import Linear

    assert Linear is tsa_builtins.curves.Linear
