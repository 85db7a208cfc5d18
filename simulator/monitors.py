"""Advertisement monitors: how a client scans passively."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from .objects import MONITOR, PROPERTIES, bluez_error

type Answer = tuple[str, list[Any]]
type Pattern = tuple[int, int, bytes]
"""Offset, type of the advertised structure, data."""

# A client exports its monitor right after the reply to RegisterMonitor.
_LOOKS: Final = (0.02, 0.05, 0.1, 0.3, 1.0)


@dataclass(slots=True)
class Monitor:
    """What a client waits for on an adapter."""

    adapter: str
    client: str
    path: str
    patterns: tuple[Pattern, ...] = ()

    def matches(self, advertisement: list[tuple[int, bytes]]) -> bool:
        """Whether an advertisement has one of the patterns."""
        return any(
            kind == wanted and data[offset:].startswith(content)
            for offset, wanted, content in self.patterns
            for kind, data in advertisement
        )


class Monitors:
    """All monitors."""

    def __init__(
        self,
        bus: MessageBus,
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        """Start without any."""
        self._bus = bus
        self._spawn = spawn
        self._monitors: list[Monitor] = []
        self.scanned_by: set[str] = set()
        """The clients that have ever had one."""

    def match(self, adapter: str, advertisement: list[tuple[int, bytes]]) -> bool:
        """Whether a monitor on the adapter waits for this advertisement."""
        return any(
            monitor.adapter == adapter and monitor.matches(advertisement)
            for monitor in self._monitors
        )

    def register(self, message: Message) -> Answer:
        """AdvertisementMonitorManager1.RegisterMonitor."""
        adapter = (message.path or "").split("/")[3]
        monitor = Monitor(adapter, message.sender or "", message.body[0])
        if any(self._same(monitor, other) for other in self._monitors):
            raise bluez_error("AlreadyExists", "Already Exists")
        self.scanned_by.add(monitor.client)
        self._monitors.append(monitor)
        self._spawn(self._look_at(monitor))
        return "", []

    def unregister(self, message: Message) -> Answer:
        """AdvertisementMonitorManager1.UnregisterMonitor."""
        adapter = (message.path or "").split("/")[3]
        wanted = Monitor(adapter, message.sender or "", message.body[0])
        kept = [other for other in self._monitors if not self._same(wanted, other)]
        if len(kept) == len(self._monitors):
            raise bluez_error("DoesNotExist", "Does Not Exist")
        self._monitors = kept
        return "", []

    @staticmethod
    def _same(one: Monitor, other: Monitor) -> bool:
        return (one.adapter, one.client, one.path) == (
            other.adapter,
            other.client,
            other.path,
        )

    async def _look_at(self, monitor: Monitor) -> None:
        """Read the patterns from the client's object and say that they are watched for."""
        for pause in _LOOKS:
            await asyncio.sleep(pause)
            reply = await self._call(monitor, PROPERTIES, "GetAll", "s", [MONITOR])
            if reply is None or not (patterns := reply.body[0].get("Patterns")):
                continue
            monitor.patterns = tuple(
                (offset, kind, bytes(content)) for offset, kind, content in patterns.value
            )
            await self._call(monitor, MONITOR, "Activate", "", [])
            return

    async def _call(
        self,
        monitor: Monitor,
        interface: str,
        member: str,
        signature: str,
        body: list[Any],
    ) -> Message | None:
        reply = await self._bus.call(
            Message(
                destination=monitor.client,
                path=monitor.path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
        )
        if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
            return None
        return reply

    def client_gone(self, client: str) -> None:
        """Forget a dead client's monitors."""
        self._monitors = [other for other in self._monitors if other.client != client]

    def adapter_gone(self, adapter: str) -> None:
        """Forget the monitors of an adapter."""
        self._monitors = [other for other in self._monitors if other.adapter != adapter]

    def reset(self) -> None:
        """Forget all monitors."""
        self._monitors.clear()
