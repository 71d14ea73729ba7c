"""The rule that names an installation: one, for what is served and for what is filled in later."""

from itertools import count


class Labels:
    """Values of the label `installation`: whoever is named first keeps its name, and no two have the same.

    Both the exporter and a backfill name installations in the order of the provider's inventory.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, installation_id: str, external_id: str) -> str:
        """A label for an installation without one: its external id, else its id, else that with a number."""
        label = external_id or installation_id
        if not label or label in self._taken:
            label = self._second_choice(installation_id)
        self._taken.add(label)
        return label

    def _second_choice(self, installation_id: str) -> str:
        # Somebody's external id may be the id of somebody else.
        if installation_id and installation_id not in self._taken:
            return installation_id
        numbered = (f"{installation_id}~{number}" for number in count(2))
        return next(name for name in numbered if name not in self._taken)

    def release(self, label: str) -> None:
        """Leave the label to whoever comes next."""
        self._taken.remove(label)
