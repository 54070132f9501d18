"""The build backend: maturin's, which finds the package of the extra `bench` in a checkout.

The extra installs `oxisock-bench`, which is published beside oxisock. In a checkout that is the
folder `benches`, and `pip install '.[bench]'` has to install what lies there rather than ask an
index. pip resolves by what `prepare_metadata_for_build_wheel` writes, so the folder's address is
written there and nowhere else: wheels and source distributions never name a place on the machine
that built them, which an index would refuse. The command `maturin` does not come through here.
"""

import re
from pathlib import Path
from typing import Any

import maturin
from maturin import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

BENCHES = Path(__file__).parent.parent / "benches"
REQUIREMENT = re.compile(r"^(Requires-Dist: oxisock-bench)[^;\n]*(?=;)", re.MULTILINE)


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    """Write the metadata, in a checkout with the folder `benches` as what `bench` installs."""
    name = maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
    # A source distribution has no such folder.
    if (BENCHES / "pyproject.toml").exists():
        path = Path(metadata_directory, name, "METADATA")
        # The blank keeps the marker's semicolon out of the address.
        address = rf"\1 @ {BENCHES.resolve().as_uri()} "
        path.write_text(REQUIREMENT.sub(address, path.read_text("utf-8"), count=1), "utf-8")
    return name


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel, whose metadata do not have the folder's address."""
    return maturin.build_wheel(wheel_directory, config_settings)


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build an editable wheel, whose metadata do not have the folder's address."""
    return maturin.build_editable(wheel_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
