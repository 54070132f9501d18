"""What the build backend adds to maturin: in a checkout the extra `bench` installs `benches/`."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
METADATA = """\
Metadata-Version: 2.4
Name: oxisock
Requires-Dist: oxisock-bench{version} ; extra == 'bench'
Requires-Dist: sphinx>=9 ; extra == 'docs'
Provides-Extra: bench

Install oxisock-bench; it is Requires-Dist: oxisock-bench for short.
"""


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The backend on a maturin that only writes metadata and notes what it is asked for."""
    maturin: Any = ModuleType("maturin")
    maturin.asked = []

    def prepare(directory: str, settings: Any = None) -> str:
        folder = Path(directory, "oxisock-1.dist-info")
        folder.mkdir()
        (folder / "METADATA").write_text(METADATA.format(version=maturin.version))
        return folder.name

    def build(*arguments: Any) -> str:
        maturin.asked.append(arguments)
        return "oxisock-1.whl"

    maturin.version = ""
    maturin.prepare_metadata_for_build_wheel = prepare
    maturin.build_wheel = maturin.build_editable = maturin.build_sdist = build
    for name in ("editable", "sdist", "wheel"):
        setattr(maturin, f"get_requires_for_build_{name}", lambda settings=None: [])
    monkeypatch.setitem(sys.modules, "maturin", maturin)
    spec = importlib.util.spec_from_file_location(
        "build_backend", ROOT / "tools" / "build_backend.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepared(backend: Any, folder: Path) -> str:
    folder.mkdir()
    name: str = backend.prepare_metadata_for_build_wheel(str(folder))
    return (folder / name / "METADATA").read_text()


@pytest.mark.parametrize("version", ["", ">=0.1,<0.2"])
def test_metadata_in_a_checkout_name_the_folder(backend: Any, tmp_path: Path, version: str) -> None:
    backend.maturin.version = version
    requirements = pytest.importorskip("packaging.requirements")
    metadata = prepared(backend, tmp_path / "one")
    lines = metadata.splitlines()
    requirement = requirements.Requirement(lines[2].removeprefix("Requires-Dist: "))
    assert requirement.name == "oxisock-bench"
    assert requirement.url == (ROOT / "benches").as_uri()
    assert requirement.marker.evaluate({"extra": "bench"})
    assert not requirement.marker.evaluate({"extra": "docs"})
    # Nothing else is touched, the description least of all.
    before = METADATA.format(version=version).splitlines()
    assert [*lines[:2], *lines[3:]] == [*before[:2], *before[3:]]


def test_metadata_of_a_source_distribution_stay(
    backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "BENCHES", tmp_path / "benches")
    assert prepared(backend, tmp_path / "one") == METADATA.format(version="")


def test_wheels_are_built_without_the_address(backend: Any) -> None:
    """What was prepared does not reach maturin, which would take it over into the wheel."""
    backend.build_wheel("dist", {"key": "value"}, "metadata")
    backend.build_editable("dist", None, "metadata")
    assert backend.maturin.asked == [("dist", {"key": "value"}), ("dist", None)]


def test_backend_has_every_hook_of_maturin(backend: Any) -> None:
    hooks = {f"build_{kind}" for kind in ("editable", "sdist", "wheel")}
    hooks |= {f"get_requires_for_{hook}" for hook in hooks}
    hooks |= {f"prepare_metadata_for_build_{kind}" for kind in ("editable", "wheel")}
    assert all(callable(getattr(backend, hook)) for hook in hooks)
    assert set(backend.__all__) == hooks
