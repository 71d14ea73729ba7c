"""A connection of websockets that takes messages by the hundred, as they come with the backlog of a day.

Frames that are a whole text each are cut out of what the network gives; all others, and everything but
frames, go to websockets as before. It takes a few microseconds for each message, which is longer than it
takes to look whose reading it is.
"""

import asyncio
from collections import deque
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.protocol import OPEN

_WHOLE_TEXT: Final = 0x81
"""First byte of a frame that is a text by itself."""

_SHORT: Final = 126
"""Second byte: lengths below it stand there themselves, this one says that two bytes follow with it."""

_LONG: Final = 127
"""The same for eight bytes: 64 kB and more, which websockets holds against its limit."""

_MASKED: Final = 0x80
_FINAL: Final = 0x80
_OPCODE: Final = 0x0F
_TEXT: Final = 0x1
_BINARY: Final = 0x2
_FIRST_CONTROL: Final = 0x8

_HEAD_END: Final = b"\r\n\r\n"

_MOST_WAITING: Final = 256
"""Messages that wait here before the rest waits in the network."""


class BurstConnection(ClientConnection):
    """`next_message` in place of `recv` and the like; all else is as websockets has it."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._messages: deque[str | None] = deque()
        """What is there; None for a message that websockets has."""
        self._arrival: asyncio.Future[None] | None = None
        self._is_full = False
        self._begun = b""
        """The begin of a frame that is not whole yet, or of the end of the handshake."""
        self._is_shaken = False
        """Whether the handshake has been received."""
        self._passing = 0
        """Bytes of the present frame that are still to go to websockets."""
        self._passing_ends = False
        """Whether that frame is the end of a message."""
        self._is_fragmented = False
        """Whether a message has begun that is not at its end."""

    async def next_message(self) -> str | bytes:
        """The next message; raises ConnectionClosed once there are no more."""
        while not self._messages:
            if self.connection_lost_waiter.done():
                return await self.recv()
            self._arrival = self.loop.create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        message = self._messages.popleft()
        if self._is_full and not self._messages:
            self._is_full = False
            self.transport.resume_reading()
        return await self.recv() if message is None else message

    def data_received(self, data: bytes) -> None:
        """Take what the network gives."""
        if not self._is_shaken:
            data = self._shake(data)
        if data:
            self._split(data)
        if len(self._messages) > _MOST_WAITING and not self._is_full:
            self._is_full = True
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let `next_message` end."""
        super().connection_lost(exc)
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _shake(self, data: bytes) -> bytes:
        """Pass the handshake on; gives what follows it."""
        seen = self._begun + data
        end = seen.find(_HEAD_END)
        if end < 0:
            super().data_received(data)
            self._begun = seen[-len(_HEAD_END) + 1 :]
            return b""
        self._is_shaken = True
        cut = end + len(_HEAD_END) - len(self._begun)
        self._begun = b""
        super().data_received(data[:cut])
        return data[cut:]

    def _split(self, data: bytes) -> None:
        """Take the frames out of the data."""
        if self._begun:
            data, self._begun = self._begun + data, b""
        at, end = 0, len(data)
        while at < end:
            if self._passing or self.protocol.state is not OPEN:
                at = self._pass(data, at)
                continue
            if end - at < 2:
                break
            length = data[at + 1]
            body = at + (2 if length < _SHORT else 4)
            if data[at] == _WHOLE_TEXT and length < _LONG and not self._is_fragmented:
                if body > end:
                    break
                if length == _SHORT:
                    length = data[at + 2] << 8 | data[at + 3]
                if body + length > end:
                    break
                text = self._text(data[body : body + length])
                if text is not None:
                    self._messages.append(text)
                    at = body + length
                    continue
            if not self._begin_passing(data, at):
                break
        self._begun = data[at:]

    def _text(self, payload: bytes) -> str | None:
        """The text of a frame; None for one that websockets is to refuse."""
        try:
            return str(payload, "utf-8")
        except UnicodeDecodeError:
            return None

    def _begin_passing(self, data: bytes, at: int) -> bool:
        """Have the frame that begins there passed on; gives whether enough of it is there to tell its end."""
        first, second = data[at], data[at + 1]
        length = second & ~_MASKED
        header = 2
        if length >= _SHORT:
            header = 4 if length == _SHORT else 10
            if len(data) - at < header:
                return False
            length = int.from_bytes(data[at + 2 : at + header], "big")
        self._passing = header + length + (4 if second & _MASKED else 0)
        opcode = first & _OPCODE
        self._passing_ends = bool(first & _FINAL) and opcode < _FIRST_CONTROL
        if opcode < _FIRST_CONTROL:
            self._is_fragmented = not first & _FINAL
        return True

    def _pass(self, data: bytes, at: int) -> int:
        """Give bytes of a frame to websockets; gives where the rest begins."""
        if self.protocol.state is not OPEN:
            # It is at its end: what comes now is only for websockets to see.
            super().data_received(data[at:])
            return len(data)
        part = data[at : at + self._passing]
        self._passing -= len(part)
        super().data_received(part)
        if not self._passing and self._passing_ends and self.protocol.state is OPEN:
            self._messages.append(None)
        return at + len(part)
