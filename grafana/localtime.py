"""The hour and the weekday on the wall in PromQL, which knows UTC alone."""

from typing import Final

# The European Union changes at 01:00 UTC of the last Sunday of March and of October; that Sunday is the first
# one from the 25th on. An hour is taken off so that the date changes at 01:00.
_THEN: Final = "vector(time() - 3600)"
_MONTH: Final = f"month({_THEN})"
_SUNDAY: Final = f"(day_of_month({_THEN}) - day_of_week({_THEN}))"

_SUMMER: Final = (
    f"scalar(({_MONTH} > bool 3) * ({_MONTH} < bool 10)"
    f" + ({_MONTH} == bool 3) * ({_SUNDAY} >= bool 25) + ({_MONTH} == bool 10) * ({_SUNDAY} < bool 25))"
)

LOCAL: Final = f"vector(time() + 3600 * (($utc_offset) + $summer_time * {_SUMMER}))"
"""Unix time moved by the variables `utc_offset` (hours) and `summer_time` (1: as in the European Union)."""

NIGHT: Final = f"(hour({LOCAL} - 60) < 4)"
"""Whether a quarter-hour that ends now lies from 0:00 to 4:00: little runs then, and no sun shines."""

HOUR: Final = f"hour({LOCAL} - 1800)"
WEEKDAY: Final = f"day_of_week({LOCAL} - 1800)"
"""Of an hour that ends now; 0 is Sunday."""
