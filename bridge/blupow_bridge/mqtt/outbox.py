"""What waits to be published: in order, at most 100 messages, none older than 300 s. Pure."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

MOST_WAITING: Final = 100
LONGEST_WAIT: Final = 300.0
"""Seconds after which a message is of no use any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that is to be published."""

    topic: str
    payload: str
    retain: bool = False
    """A state: a newer message of its topic takes its place."""
    correlation: bytes | None = None
    """What ties an answer to its command (MQTT 5)."""
    at: float
    """When it was made, in seconds of the monotonic clock."""


@dataclass(slots=True)
class Outbox:
    """Keeps messages until they are taken; counts what is lost, by its cause."""

    full: int = 0
    """Messages dropped because too many waited."""
    expired: int = 0
    """Messages dropped because they had waited too long."""
    _waiting: deque[Outgoing] = field(default_factory=deque)

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._waiting)

    def put(self, message: Outgoing) -> None:
        """Add a message at the end; the oldest one is dropped if there are too many."""
        if message.retain:
            self.drop_states({message.topic})
        self._waiting.append(message)
        self._shorten()

    def take(self, count: int, now: float) -> list[Outgoing]:
        """Take the first messages, less those that have waited too long."""
        found: list[Outgoing] = []
        while self._waiting and len(found) < count:
            message = self._waiting.popleft()
            if now - message.at > LONGEST_WAIT:
                self.expired += 1
            else:
                found.append(message)
        return found

    def put_back(self, messages: Iterable[Outgoing]) -> None:
        """Put messages that were not published back to the front, in their order.

        A state is left out where a newer one waits.
        """
        newer = {message.topic for message in self._waiting if message.retain}
        kept = [item for item in messages if not item.retain or item.topic not in newer]
        self._waiting.extendleft(reversed(kept))
        self._shorten()

    def drop_states(self, topics: Collection[str]) -> None:
        """Drop the states of some topics: newer ones are published, or they are taken back."""
        self._waiting = deque(
            item for item in self._waiting if not item.retain or item.topic not in topics
        )

    def _shorten(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.full += 1
