"""Reports of the process's state to systemd (sd_notify); none where no supervisor asked for them."""

import logging
import os
import socket
import time

_log = logging.getLogger(__name__)


def ready(status: str = "") -> None:
    """Say that the process serves, and with which state; also after a reload."""
    _notify("READY=1", status)


def reloading(status: str = "") -> None:
    """Say that the configuration is being read again; `ready` ends it."""
    _notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", status)


def stopping(status: str = "") -> None:
    """Say that the process is about to end by itself."""
    _notify("STOPPING=1", status)


def _notify(state: str, text: str) -> None:
    """Send the state to the supervisor's socket; a failure costs the message and nothing else."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] not in ("/", "@"):
        return
    # A line break would begin another variable.
    text = " ".join(text.split())
    message = f"{state}\nSTATUS={text}" if text else state
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            # An abstract name is written with an @ and sent with a zero byte.
            sender.connect("\0" + path[1:] if path[0] == "@" else path)
            sender.send(message.encode())
    except (OSError, ValueError) as error:
        _log.debug("the supervisor was not notified", extra={"reason": str(error)})
