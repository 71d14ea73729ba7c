"""The rule that names an installation: one, for what is served and for what is filled in later."""

from itertools import chain, count


class Labels:
    """Values of the label `installation`: whoever is named first keeps its name, and no two have the same.

    Both the exporter and a backfill name installations in the order of the provider's inventory.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, installation_id: str, external_id: str) -> str:
        """A label for an installation without one: its external id, else its id, else that with a number."""
        candidates = chain(
            (name for name in (external_id, installation_id) if name),
            # Somebody's external id may be the id of somebody else.
            (f"{installation_id}~{number}" for number in count(2)),
        )
        label = next(name for name in candidates if name not in self._taken)
        self._taken.add(label)
        return label

    def release(self, label: str) -> None:
        """Leave the label to whoever comes next."""
        self._taken.remove(label)
