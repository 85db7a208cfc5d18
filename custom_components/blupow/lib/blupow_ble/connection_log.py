"""The connection log: what happens to a link, one line per change, for people.

Each line goes to the log of the host, to a file if the user wants one, and, from level info on, to the
diagnostics. What works for a link writes to the log of that link without being given it: the log is bound
to the context of the task.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
import logging
from typing import Final, Protocol

from .text import cleaned

_LOGGER = logging.getLogger(__name__)

KEPT_LINES: Final = 100
LONGEST_LINE: Final = 1000


class Topic(StrEnum):
    """What a line is about; each line begins with it, so that a log can be searched by it."""

    READER = "reader"
    POLL = "poll"
    CACHE = "cache"
    ROUTE = "route"
    WATCHDOG = "watchdog"
    RECOVERY = "recovery"
    WRITE = "write"
    SCHEDULE = "schedule"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is kept."""

    at: datetime
    topic: Topic
    text: str


class Sink(Protocol):
    """A place, beside the host's log, that lines are written to."""

    def write(self, level: int, line: str) -> None:
        """Write a line; never raises."""


class ConnectionLog:
    """The log of one link."""

    def __init__(self, name: str) -> None:
        """Start empty. `name` is what people call the link."""
        self.name = name
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.file: Sink | None = None

    def info(self, topic: Topic, text: str) -> None:
        """Log a change."""
        self.log(logging.INFO, topic, text)

    def debug(self, topic: Topic, text: str) -> None:
        """Log a detail; it is not kept."""
        self.log(logging.DEBUG, topic, text)

    def log(self, level: int, topic: Topic, text: str) -> None:
        """Log a line; from level info on it is kept."""
        if level >= logging.INFO:
            self.lines.append(Line(datetime.now(UTC), topic, text))
        line = f"[{topic}] {cleaned(self.name)}: {cleaned(text, LONGEST_LINE)}"
        _LOGGER.log(level, "%s", line)
        if self.file is not None:
            self.file.write(level, line)

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Bind this log to the context: tasks begun within write to it by `log`."""
        token = _BOUND.set(self)
        try:
            yield
        finally:
            _BOUND.reset(token)


_BOUND: ContextVar[ConnectionLog | None] = ContextVar("bound_connection_log", default=None)


def log(level: int, topic: Topic, text: str) -> None:
    """Write a line to the log of the link that is worked on; without one, to the host's log alone."""
    if (bound := _BOUND.get()) is not None:
        bound.log(level, topic, text)
    else:
        _LOGGER.log(level, "[%s] %s", topic, cleaned(text, LONGEST_LINE))


def debug(text: str) -> None:
    """Write a detail of a reading."""
    log(logging.DEBUG, Topic.READER, text)
