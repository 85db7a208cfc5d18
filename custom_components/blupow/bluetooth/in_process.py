"""Readings through Home Assistant's own Bluetooth: over ESPHome and other proxies too."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from ..lib.blupow_ble.protocol.session import Link
from ..lib.blupow_ble.reader.link import BleLink
from ..lib.blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from ..lib.blupow_ble.reader.probing import Prober
from ..lib.blupow_ble.reader.reading import Reader as LibraryReader
from ..lib.blupow_ble.reader.result import Finding, Reading, WriteReport
from ..lib.blupow_ble.reader.route import Route, RouteKind
from ..lib.blupow_ble.reader.timeouts import child_deadline
from ..lib.blupow_ble.reader.writing import Writer
from ..lib.blupow_ble.virtual import VirtualDevice, VirtualLink, VirtualShunt, virtual_device
from .chosen_client import client_over
from .connection_locks import acquire_connection_locks
from .scanners import connected_by


def _link(route: Route, plan: ReadPlan | FindPlan | WritePlan) -> Link:
    """Return the link of a route over the air."""
    assert route.ble_device is not None
    return BleLink(
        route.ble_device,
        plan.connect_timeout,
        client_class=client_over(route.device.address, route.source),
        bypass_service_cache=isinstance(plan, ReadPlan) and plan.bypass_service_cache,
    )


class InProcessReader:
    """Connects with Home Assistant's own client, under the same timeouts as the child."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing under way."""
        self._hass = hass
        self._finishing: asyncio.Task[None] | None = None
        self._virtual_device: VirtualDevice | VirtualShunt | None = None

    def _link(self, route: Route, plan: ReadPlan | WritePlan) -> Link:
        """Return the link of a route, or that of the virtual device."""
        if route.kind is not RouteKind.VIRTUAL:
            return _link(route, plan)
        if self._virtual_device is None:
            unit = plan.unit if isinstance(plan, WritePlan) else plan.units[0]
            self._virtual_device = virtual_device(unit.profile.key)
        return VirtualLink(self._virtual_device)

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading; return it with the route that it really took. Raises ReaderError."""

        async def job(link: Link) -> tuple[Route, Reading]:
            reader = LibraryReader(link, plan.units, budget=plan.budget, look_at=plan.look_at)
            reading = await (reader.read_spans(plan.spans) if plan.spans else reader.read())
            return self._really_taken(route), reading

        return await self._have_done(route, self._link(route, plan), plan, job)

    async def write(self, route: Route, plan: WritePlan) -> tuple[Route, WriteReport]:
        """Change settings; return what has become of them, with the route. Raises ReaderError."""

        async def job(link: Link) -> tuple[Route, WriteReport]:
            writer = Writer(link, plan.unit, plan.changes, budget=plan.budget)
            report = await writer.write()
            return self._really_taken(route), report

        return await self._have_done(route, self._link(route, plan), plan, job)

    async def find(self, route: Route, plan: FindPlan) -> list[Finding]:
        """Find units. Raises ReaderError."""

        async def job(link: Link) -> list[Finding]:
            prober = Prober(link, plan.budget, plan.unit_ids)
            return await prober.find_all() if plan.everything else [await prober.identify()]

        return await self._have_done(route, _link(route, plan), plan, job)

    def _really_taken(self, route: Route) -> Route:
        """Return the route over which Home Assistant has really connected."""
        virtual = route.kind is RouteKind.VIRTUAL
        scanner = None if virtual else connected_by(self._hass, route.device.address)
        if scanner is None or scanner.source == route.source:
            return route
        reason = f"Home Assistant connected over {scanner.name}"
        return replace(route, source=scanner.source, reason=reason)

    async def _have_done[T](
        self,
        route: Route,
        link: Link,
        plan: ReadPlan | FindPlan | WritePlan,
        job: Callable[[Link], Awaitable[T]],
    ) -> T:
        """Do something over a link under the connection locks."""
        release = await acquire_connection_locks(self._hass, route)
        deadline = child_deadline(plan.connect_timeout, plan.budget)
        try:
            async with asyncio.timeout(deadline):
                return await job(link)
        except TimeoutError:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT, f"the reading was not done within {deadline:g} s"
            ) from None
        finally:
            self._finishing = asyncio.create_task(
                self._finish(link, release), name="blupow disconnecting"
            )

    async def _finish(self, link: Link, release: Callable[[], None]) -> None:
        """Disconnect, then release the connection locks."""
        try:
            await link.disconnect()
        finally:
            release()

    async def stop(self) -> None:
        """Wait until the last link is closed; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
