"""How often a property is tried: a few seconds of all of them, and thirty times as often once a week."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "patient")
"""`patient`, or `thorough` as in .github/workflows/thorough.yml."""

_USUAL: Final = 40
"""Of a property that does not say how many."""

_MORE: Final = 30 if PROFILE == "thorough" else 1


def register() -> None:
    """Both profiles; a busy machine is no failure of either."""
    settings.register_profile("patient", deadline=None, max_examples=_USUAL)
    settings.register_profile("thorough", deadline=None, max_examples=_USUAL * _MORE)
    settings.load_profile(PROFILE)


def examples(
    number: int = _USUAL, *, derandomize: bool = False, suppress_health_check: tuple[HealthCheck, ...] = ()
) -> settings:
    """So many examples, thirty times as many in `thorough`, where they are new ones each time."""
    return settings(
        max_examples=number * _MORE,
        deadline=None,
        derandomize=derandomize and PROFILE != "thorough",
        suppress_health_check=suppress_health_check,
    )
