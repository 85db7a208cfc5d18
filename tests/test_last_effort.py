"""A device in its last effort, and its healthy neighbor on the same adapter."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
import time
from typing import override

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.blupow.bluetooth import device_reader
from custom_components.blupow.bluetooth.connection_locks import acquire_connection_locks
from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from custom_components.blupow.lib.blupow_ble.reader.plan import ReadPlan
from custom_components.blupow.lib.blupow_ble.reader.result import Reading
from custom_components.blupow.lib.blupow_ble.reader.route import Route
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .helpers.bluetooth import hear, service_info
from .helpers.scripted import Script, ScriptedReader
from .helpers.timeline import state

HEALTHY = "C4:D3:6A:00:00:01"
ILL = ("C4:D3:6A:00:00:02", "C4:D3:6A:00:00:03", "C4:D3:6A:00:00:04")
INTERVAL = 30
LONGEST_CONNECT = 45
CACHE, GRACE = 300, 600


class AdapterReader(ScriptedReader):
    """Connects over one adapter, in turn; those that are ill use up their whole connect timeout."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Take part in the script."""
        super().__init__(hass)
        self._hass = hass

    @override
    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading under the connection locks."""
        release = await acquire_connection_locks(self._hass, route)
        try:
            if self.script.error and route.device.address in ILL:
                self.script.routes.append(route)
                over = asyncio.Event()

                @callback
                def end(_: datetime) -> None:
                    over.set()

                cancel = async_call_later(self._hass, plan.connect_timeout, end)
                try:
                    await over.wait()
                finally:
                    cancel()
                raise ReaderError(ErrorCode.CONNECT_TIMEOUT, "scripted", stage=Stage.CONNECT)
            return route, await self._read(plan, healthy=True)
        finally:
            release()

    async def _read(self, plan: ReadPlan, *, healthy: bool = False) -> Reading:
        error, self.script.error = self.script.error, None
        try:
            return await super()._read(plan)
        finally:
            self.script.error = error


def _entry(address: str) -> MockConfigEntry:
    name = f"BTRIC1340000{address[-2:]}"
    return MockConfigEntry(
        domain=DOMAIN,
        version=2,
        title=name,
        unique_id=address,
        data={
            "address": address,
            "name": name,
            "profile": "inverter",
            "model": "RIV1230RCH",
            "unit_id": 32,
        },
        options={"heartbeat_interval": 600},
    )


@pytest.mark.parametrize("ill", [1, 3])
@pytest.mark.usefixtures("heard", "no_bluez")
async def test_neighbor_is_read_while_others_make_their_last_effort(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    ill: int,
) -> None:
    """It waits for one attempt of each at most: first come, first served."""
    hass.loop.set_debug(False)
    monkeypatch.setattr(device_reader, "IsolatedReader", AdapterReader)
    entries = [_entry(address) for address in (HEALTHY, *ILL[:ill])]
    for entry in entries:
        hear(hass, service_info(entry.title, entry.unique_id or ""))
        entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entries[0].entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    neighbor = entries[0].runtime_data.only
    script.error = ErrorCode.CONNECT_TIMEOUT
    readings: list[float] = [time.monotonic()]
    attempts_before = 0
    for second in range(GRACE):
        freezer.tick(timedelta(seconds=1))
        async_fire_time_changed(hass)
        for _ in range(20):
            await asyncio.sleep(0)
        if neighbor.supervisor.link.fresh_at != readings[-1]:
            assert neighbor.supervisor.link.fresh_at is not None
            readings.append(neighbor.supervisor.link.fresh_at)
        if second == CACHE:
            attempts_before = len(script.routes)
    assert len(script.routes) - attempts_before >= (GRACE - CACHE) // (LONGEST_CONNECT + 6)
    gaps = [after - before for before, after in pairwise(readings)]
    assert max(gaps) <= INTERVAL + ill * LONGEST_CONNECT + 2
    assert state(hass, "sensor.btric134000001_connection_status") == "connected"
    for entry in entries:
        await hass.config_entries.async_unload(entry.entry_id)
