"""Readings through Home Assistant's own Bluetooth: the way over ESPHome and other proxies."""

import asyncio
from collections.abc import Callable

from bleak_retry_connector import BleakClientWithServiceCache

from homeassistant.core import HomeAssistant

from ..lib.blupow_ble.errors import ErrorCode, ReaderError
from ..lib.blupow_ble.link import BleLink
from ..lib.blupow_ble.reading import Reader as LibraryReader
from ..lib.blupow_ble.resilience import child_deadline
from ..lib.blupow_ble.result import Reading
from . import Path, ReadPlan
from .turns import take_turn


class InProcessReader:
    """Connects with Home Assistant's own client, under the same timeouts as the child."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Start with nothing under way."""
        self._hass = hass
        self._finishing: asyncio.Task[None] | None = None

    async def read(self, path: Path, plan: ReadPlan) -> Reading:
        """Take one reading. Raises ReaderError."""
        assert path.ble_device is not None
        await self.stop()
        end_turn = await take_turn(self._hass, path)
        link = BleLink(
            path.ble_device,
            plan.connect_timeout,
            client_class=BleakClientWithServiceCache,
            fresh_services=plan.fresh_services,
        )
        reader = LibraryReader(
            link, plan.profile, model=plan.model, unit=plan.unit, blocks=plan.blocks
        )
        try:
            async with asyncio.timeout(child_deadline(plan.connect_timeout)):
                return await (reader.read_span(plan.span) if plan.span else reader.read())
        except TimeoutError:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT,
                f"the reading was not done within {child_deadline(plan.connect_timeout):g} s",
            ) from None
        finally:
            self._finishing = asyncio.create_task(
                self._finish(reader, end_turn), name="blupow disconnecting"
            )

    async def _finish(self, reader: LibraryReader, end_turn: Callable[[], None]) -> None:
        """Disconnect, then let the next one have the adapter or proxy."""
        try:
            await reader.close()
        finally:
            end_turn()

    async def stop(self) -> None:
        """Wait until the last link is closed; a reading under way is cancelled by its own task."""
        if self._finishing is not None:
            await asyncio.wait((self._finishing,))
