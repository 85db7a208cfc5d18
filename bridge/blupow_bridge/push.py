"""What a bridge tells its clients as it happens: numbered messages, kept for those who come back."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
import json
import secrets
from time import monotonic
from typing import Final

from blupow_ble.bridge_messages import MessageType, aged
from blupow_ble.reader.messages import Message

KEPT_MESSAGES: Final = 2000
"""A client that comes back gets what it missed, at most so many messages."""
MOST_WAITING: Final = 256
"""A client that does not take its messages is dropped when so many wait for it."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A message as it is sent to all."""

    sequence: int
    text: str


@dataclass(slots=True, eq=False)
class Subscriber:
    """One client."""

    queue: asyncio.Queue[Pushed | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    """None: nothing more comes."""
    dropped: bool = False
    """It gets nothing more."""
    slow: bool = False
    """It was dropped because it did not take its messages."""

    def put(self, message: Pushed) -> None:
        """Add a message; a client that takes none is dropped, without waiting for it."""
        if self.dropped:
            return
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.slow = True
            self.drop()

    def drop(self) -> None:
        """End this client: what waits for it is thrown away."""
        self.dropped = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


def encoded(message: Message) -> str:
    """Return a message as it is sent."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


class PushLog:
    """Numbers messages, keeps the last ones, and hands each to all subscribers."""

    def __init__(self) -> None:
        """Start with number 0, as another instance than any before."""
        self.instance: Final = secrets.token_hex(8)
        self.sequence = 0
        self.subscribers: set[Subscriber] = set()
        self.dropped = 0
        """Clients that were too slow."""
        self._kept: deque[tuple[float, Message]] = deque(maxlen=KEPT_MESSAGES)

    def publish(self, kind: MessageType, message: Message) -> None:
        """Give a message its number, and hand it to all."""
        self.sequence += 1
        numbered = {"type": kind.value, "sequence": self.sequence, **message}
        self._kept.append((monotonic(), numbered))
        pushed = Pushed(self.sequence, encoded(numbered))
        for subscriber in tuple(self.subscribers):
            subscriber.put(pushed)
            if subscriber.dropped:
                self.subscribers.discard(subscriber)
                self.dropped += 1

    def subscribe(self) -> Subscriber:
        """Return a new subscriber, which gets all messages from now on."""
        subscriber = Subscriber()
        self.subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """End a subscriber."""
        self.subscribers.discard(subscriber)

    def close(self) -> None:
        """End all subscribers."""
        for subscriber in tuple(self.subscribers):
            subscriber.drop()
        self.subscribers.clear()

    def missed(self, instance: str, after: int) -> list[Message] | None:
        """Return the messages after a number, with their ages as they are now.

        None where they are not known: of another instance, or too many since.
        """
        if instance != self.instance or not 0 <= after <= self.sequence:
            return None
        if after == self.sequence:
            return []
        first = self._kept[0][1]["sequence"]
        if after + 1 < first:
            return None
        now = monotonic()
        return [
            aged(message, now - at) for at, message in self._kept if message["sequence"] > after
        ]
