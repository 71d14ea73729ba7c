"""Packages that only some need, and the words for what to install where they are missing."""

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

Extra = Literal["provider", "simulator"]

_PROVIDER: Final = ("websockets", "segno")

MODULES: Final[Mapping[Extra, tuple[str, ...]]] = {
    "provider": _PROVIDER,
    "simulator": (*_PROVIDER, "ariadne"),
}
"""What each extra of the package installs and needs; modules and packages have the same names."""

FASTER: Final = ("msgspec",)
"""What it installs beside them where there is a wheel, not on 32-bit Arm: without it a fleet costs more."""


def advice_if_missing(extra: Extra, *modules: str) -> str | None:
    """The words for an error if one of the modules, by default all of the extra, is missing; None if not."""
    for name in modules or MODULES[extra]:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            return f"{name} is not installed, {_advice(extra)}"
    return None


def _advice(extra: Extra) -> str:
    # This package is on no index, so `pip install iometer-exporter[...]` would find nothing, or a stranger's.
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        # There is no pip in such an environment.
        return f"run: pipx inject iometer-exporter {' '.join((*MODULES[extra], *FASTER))}"
    return f"run in the folder of the source: {sys.executable} -m pip install -c constraints.txt '.[{extra}]'"
