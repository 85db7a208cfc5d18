"""Announces changes of a link, each once: to the connection log and to the host."""

from typing import Any

from ..connection_log import Topic
from ..protocol.errors import ErrorCode
from ..reader.route import Route
from .link_state import LinkState
from .policies import ConnectionStatus
from .protocols import LinkEvent, Listener
from .unit_state import UnitState


class Announcer:
    """Announces what has changed since it last did; what it announced is kept in the link's state."""

    def __init__(self, link: LinkState, listener: Listener) -> None:
        """Announce changes of a link."""
        self._link = link
        self._listener = listener

    def status(self, status: ConnectionStatus) -> None:
        """Announce a change of the status."""
        link = self._link
        never_polled = not link.polls and link.snapshot is None
        if status is link.announced_status or never_polled:
            return
        before, link.announced_status = link.announced_status, status
        reason = link.last_error.message if link.last_error else "nothing polls"
        match status:
            case ConnectionStatus.CONNECTED | ConnectionStatus.TEST_MODE:
                if before is not None:
                    link.log.info(Topic.POLL, f"fresh readings again (was {before})")
            case ConnectionStatus.OFFLINE:
                link.log.info(Topic.CACHE, f"the last reading serves: {reason}")
            case ConnectionStatus.DISCONNECTED:
                link.log.info(Topic.CACHE, f"the last reading is too old to serve: {reason}")
            case ConnectionStatus.NOT_HEARD:
                link.log.info(Topic.POLL, "not heard; it is switched off at times")
            case _:  # lost
                link.log.info(Topic.POLL, f"no reading: {reason}")

    def lost(self, silence: float) -> None:
        """Announce that the values are unavailable."""
        link = self._link
        if link.announced_lost:
            return
        link.announced_lost = True
        error = link.last_error
        facts: dict[str, Any] = {
            "problem": error.code.value if error else None,
            "silence": round(silence),
            "failures": link.failures,
        }
        self._listener.event(LinkEvent.CONNECTION_LOST, facts)

    def restored(self, outage: float | None) -> None:
        """Announce a fresh reading after a loss."""
        if self._link.announced_lost:
            self._link.announced_lost = False
            self._listener.event(LinkEvent.CONNECTION_RESTORED, {"outage": round(outage or 0)})

    def partial(self, missing: tuple[str, ...]) -> None:
        """Announce that blocks begin to be missing, and that none is any more."""
        link = self._link
        if bool(missing) != bool(link.announced_partial):
            text = (
                f"partial readings, without {', '.join(missing)}; their last values stay"
                if missing
                else "whole readings again"
            )
            link.log.info(Topic.POLL, text)
        link.announced_partial = missing

    def route(self, route: Route) -> None:
        """Announce that the device is read by another route."""
        before = self._link.snapshot.route if self._link.snapshot else route
        if (before.kind, before.source) != (route.kind, route.source):
            self._link.log.info(Topic.ROUTE, f"now read {route.kind}: {route.reason}")

    def unit(self, unit: UnitState, before: ErrorCode | None, *, replaced: bool) -> None:
        """Announce that a unit no longer answers, that another one does in its place, or that it is back."""
        after, name = unit.unresponsive, f"unit {unit.unit_id}"
        if after is None:
            text = f"{name} answers again" if before is not None else None
        elif replaced and before is not ErrorCode.WRONG_UNIT:
            text = f"{name} has another serial number now: search for units again"
        elif before is None:
            text = f"{name} does not answer while others do: {after}"
        else:
            text = None
        if text is not None:
            self._link.log.info(Topic.POLL, text)
