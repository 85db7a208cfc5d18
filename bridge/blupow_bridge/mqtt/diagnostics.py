"""What is remembered of the connection to a broker: events, sessions, and why connections ended."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from .causes import Cause

KEPT_EVENTS: Final = 1000


class EventKind(StrEnum):
    """What has happened to the connection."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ATTEMPT_FAILED = "attempt_failed"
    RECONNECTION_FAILED = "reconnection_failed"
    """All attempts have failed: recoveries begin, and nothing is published until one works."""
    RECOVERY_STARTED = "recovery_started"
    RESET = "reset"
    """Somebody has asked to begin anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent:
    """One thing that has happened."""

    at: datetime
    kind: EventKind
    cause: Cause | None = None
    message: str = ""
    attempt: int = 0
    recovery: int = 0
    seconds: float | None = None
    """How long the session was that has ended."""

    @property
    def report(self) -> dict[str, Any]:
        """The event as JSON knows it."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "event": self.kind.value,
            "cause": None if self.cause is None else self.cause.value,
            "message": self.message,
            "attempt": self.attempt,
            "recovery": self.recovery,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
        }


@dataclass(slots=True)
class Sessions:
    """How long sessions that have ended were, in seconds."""

    count: int = 0
    total: float = 0.0
    shortest: float | None = None
    longest: float | None = None

    def add(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.total += seconds
        self.shortest = seconds if self.shortest is None else min(self.shortest, seconds)
        self.longest = seconds if self.longest is None else max(self.longest, seconds)

    @property
    def report(self) -> dict[str, Any]:
        """The sessions as JSON knows them."""
        return {
            "ended": self.count,
            "average": round(self.total / self.count, 3) if self.count else None,
            "shortest": None if self.shortest is None else round(self.shortest, 3),
            "longest": None if self.longest is None else round(self.longest, 3),
        }


@dataclass(slots=True)
class ConnectionDiagnostics:
    """The last 1,000 events, and counts since the start."""

    events: deque[ConnectionEvent] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    sessions: Sessions = field(default_factory=Sessions)
    connections: int = 0
    drops: Counter[Cause] = field(default_factory=Counter)
    """Sessions that have ended, by their cause."""
    failures: Counter[Cause] = field(default_factory=Counter)
    """Attempts that have failed, by their cause."""
    reconnections_failed: int = 0
    recoveries: int = 0
    """Recoveries that were begun."""

    def note(self, kind: EventKind, **facts: Any) -> ConnectionEvent:
        """Remember an event, and count it."""
        event = ConnectionEvent(at=datetime.now(UTC), kind=kind, **facts)
        self.events.append(event)
        match kind:
            case EventKind.CONNECTED:
                self.connections += 1
            case EventKind.DISCONNECTED:
                assert event.cause is not None
                assert event.seconds is not None
                self.drops[event.cause] += 1
                self.sessions.add(event.seconds)
            case EventKind.ATTEMPT_FAILED:
                assert event.cause is not None
                self.failures[event.cause] += 1
            case EventKind.RECONNECTION_FAILED:
                self.reconnections_failed += 1
            case EventKind.RECOVERY_STARTED:
                self.recoveries += 1
            case EventKind.RESET:
                pass
        return event

    @property
    def report(self) -> dict[str, Any]:
        """All of it as JSON knows it, the newest event first."""
        return {
            "connections": self.connections,
            "sessions": self.sessions.report,
            "drops": {cause.value: count for cause, count in sorted(self.drops.items())},
            "failed_attempts": {
                cause.value: count for cause, count in sorted(self.failures.items())
            },
            "reconnections_failed": self.reconnections_failed,
            "recoveries": self.recoveries,
            "events": [event.report for event in reversed(self.events)],
        }
