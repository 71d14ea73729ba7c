"""Mutants that no test can tell from the original, each with the reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import yamlfiles
from tests.mutation.mutants import Mutant

FILE: Final = Path(__file__).with_name("equivalents.yml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant by its place and text, and why it does the same."""

    where: str
    before: str
    after: str
    why: str

    @property
    def key(self) -> tuple[str, str, str]:
        """As `Mutant.key`."""
        return self.where, self.before, self.after


def load(path: Path = FILE) -> dict[str, list[Equivalent]]:
    """The equivalents by the name of the module; `after` may be a list of several with one reason."""
    found = yamlfiles.load(path.read_text(encoding="utf-8")) or {}
    return {
        name: [
            Equivalent(entry["where"], entry["before"], after, entry["why"])
            for entry in entries
            for after in ([entry["after"]] if isinstance(entry["after"], str) else entry["after"])
        ]
        for name, entries in found.items()
    }


def without_reason(survivors: list[Mutant], known: list[Equivalent]) -> list[Mutant]:
    """The survivors that are not said to be equivalent."""
    keys = {each.key for each in known}
    return [each for each in survivors if each.key not in keys]


def outlived(survivors: list[Mutant], known: list[Equivalent]) -> list[Equivalent]:
    """What is said to be equivalent and is killed, or is no mutant any more."""
    keys = {each.key for each in survivors}
    return [each for each in known if each.key not in keys]
