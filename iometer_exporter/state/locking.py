"""Locks between processes on open files, where the file system has such."""

import errno
from collections.abc import Collection
from typing import Final

try:
    import fcntl
except ImportError:  # pragma: no cover (there are no such locks on Windows)
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""Errors of a file system that has no locks."""


def lock(opened: int, *, unlockable: Collection[int] = ()) -> None:
    """Lock what is open under this descriptor for this process; raises BlockingIOError while another has it.

    Nothing is locked where there are no locks, which further errors may tell.
    """
    if fcntl is not None:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS and error.errno not in unlockable:
                raise
