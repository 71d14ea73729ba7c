"""Who may ask a simulated provider unless told otherwise."""

from typing import Final

TOKEN: Final = "simulated-token"  # noqa: S105 (it guards nothing)
SECRET: Final = "simulated-secret"  # noqa: S105
