"""Readings through Home Assistant's own Bluetooth: the way over ESPHome and other proxies."""

import asyncio
from collections.abc import Awaitable, Callable

from bleak_retry_connector import BleakClientWithServiceCache

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.errors import ErrorCode, ReaderError
from ..lib.blupow_ble.link import BleLink
from ..lib.blupow_ble.probing import Prober
from ..lib.blupow_ble.reading import Reader as LibraryReader
from ..lib.blupow_ble.resilience import child_deadline
from ..lib.blupow_ble.result import Finding, Reading
from . import FindPlan, Path, ReadPlan
from .turns import take_turn


class InProcessReader:
    """Connects with Home Assistant's own client, under the same timeouts as the child."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing under way."""
        self._hass = hass
        self._finishing: asyncio.Task[None] | None = None

    async def read(self, path: Path, plan: ReadPlan) -> Reading:
        """Take one reading. Raises ReaderError."""

        async def errand(link: BleLink) -> Reading:
            reader = LibraryReader(link, plan.units, budget=plan.budget)
            return await (reader.read_spans(plan.spans) if plan.spans else reader.read())

        deadline = child_deadline(plan.connect_timeout, plan.budget)
        return await self._have_done(
            path, plan.connect_timeout, deadline, errand, fresh_services=plan.fresh_services
        )

    async def find(self, path: Path, plan: FindPlan) -> list[Finding]:
        """Find units. Raises ReaderError."""

        async def errand(link: BleLink) -> list[Finding]:
            prober = Prober(link, plan.budget)
            return await prober.sweep() if plan.everything else [await prober.identify()]

        deadline = child_deadline(plan.connect_timeout, plan.budget)
        return await self._have_done(path, plan.connect_timeout, deadline, errand)

    async def _have_done[T](
        self,
        path: Path,
        connect_timeout: float,
        deadline: float,
        errand: Callable[[BleLink], Awaitable[T]],
        *,
        fresh_services: bool = False,
    ) -> T:
        """Do something over a link in the adapter's or proxy's turn."""
        assert path.ble_device is not None
        await self.stop()
        end_turn = await take_turn(self._hass, path)
        link = BleLink(
            path.ble_device,
            connect_timeout,
            client_class=BleakClientWithServiceCache,
            fresh_services=fresh_services,
        )
        try:
            async with asyncio.timeout(deadline):
                return await errand(link)
        except TimeoutError:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT, f"the reading was not done within {deadline:g} s"
            ) from None
        finally:
            self._finishing = asyncio.create_task(
                self._finish(link, end_turn), name="blupow disconnecting"
            )

    async def _finish(self, link: BleLink, end_turn: Callable[[], None]) -> None:
        """Disconnect, then let the next one have the adapter or proxy."""
        try:
            await link.disconnect()
        finally:
            end_turn()

    async def stop(self) -> None:
        """Wait until the last link is closed; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
