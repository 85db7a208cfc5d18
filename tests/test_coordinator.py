"""Polls, the cache, the grace, the statuses: what entities show, and when, by a frozen clock."""

import asyncio
from datetime import timedelta
import logging
from typing import override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.entry_store import take_kept
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, Stage
from custom_components.blupow.lib.blupow_ble.protocol.modbus import ReadRequest
from custom_components.blupow.lib.blupow_ble.reader.route import RouteKind
from custom_components.blupow.lib.blupow_ble.supervisor.exclusive import Interrupted
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import device_registry as dr

from .helpers.bluetooth import hear, service_info
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import pass_time, set_up, state

STATUS = "sensor.btric134000035_connection_status"
PROBLEM = "sensor.btric134000035_problem"
LAST = "sensor.btric134000035_last_reading"
VOLTAGE = "sensor.btric134000035_battery_voltage"
ENERGY = "sensor.btric134000035_load_energy_total"
FAULT = "binary_sensor.btric134000035_fault"

pytestmark = pytest.mark.usefixtures("heard")


async def test_fresh_reading(hass: HomeAssistant, entry: MockConfigEntry, script: Script) -> None:
    """Set-up reads the device; its values are there at once."""
    await set_up(hass, entry)
    assert script.polls == 1
    assert script.routes[0].kind is RouteKind.ISOLATED
    assert script.routes[0].reason.startswith("heard best by ")
    assert state(hass, STATUS) == "connected"
    assert state(hass, PROBLEM) == "none"
    assert 13.0 <= float(state(hass, VOLTAGE)) <= 13.8
    assert state(hass, FAULT) == "off"


async def test_interval(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """One reading per interval, nothing else polls; identity is read once."""
    await set_up(hass, entry, update_interval=60)
    await pass_time(hass, freezer, 58)
    assert script.polls == 1
    await pass_time(hass, freezer, 4)
    assert script.polls == 2
    assert set(script.plans[0].units[0].blocks) - set(script.plans[1].units[0].blocks) == {
        "model",
        "unit_id",
        "serial",
        "version",
    }
    assert state(hass, "sensor.btric134000035_model") == "RIV1230RCH-SPS"


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_an_outage_from_beginning_to_end(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Offline at once, disconnected after 300 s, unavailable after 600 s, and back: a line each."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    await set_up(hass, entry, heartbeat_interval=600)
    voltage, last = state(hass, VOLTAGE), state(hass, LAST)
    script.error = ErrorCode.NO_RESPONSE
    caplog.clear()
    await pass_time(hass, freezer, 31)
    assert state(hass, STATUS) == "offline"
    assert state(hass, PROBLEM) == "no_response"
    assert state(hass, VOLTAGE) == voltage
    assert entry.runtime_data.only.last_update_success
    assert entry.runtime_data.only.supervisor.link.failures > 0

    await pass_time(hass, freezer, 268)
    assert state(hass, STATUS) == "offline"
    await pass_time(hass, freezer, 2)
    assert state(hass, STATUS) == "disconnected"
    assert state(hass, VOLTAGE) == voltage
    assert not entry.runtime_data.only.last_update_success

    await pass_time(hass, freezer, 298)
    assert state(hass, STATUS) == "disconnected"
    assert state(hass, VOLTAGE) == voltage
    await pass_time(hass, freezer, 2)
    assert state(hass, STATUS) == "lost"
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE
    assert state(hass, FAULT) == STATE_UNAVAILABLE
    assert state(hass, LAST) == last
    assert state(hass, PROBLEM) == "no_response"

    polls = script.polls
    script.error = None
    await pass_time(hass, freezer, 301)
    assert polls < script.polls
    assert state(hass, STATUS) == "connected"
    assert state(hass, VOLTAGE) == voltage
    assert entry.runtime_data.only.supervisor.link.failures == 0
    assert [record.getMessage() for record in caplog.records if "blupow" in record.name] == [
        "[cache] BTRIC134000035: the last reading serves: scripted no_response",
        "[cache] BTRIC134000035: the last reading is too old to serve: scripted no_response",
        "[poll] BTRIC134000035: no reading: scripted no_response",
        "[poll] BTRIC134000035: fresh readings again (was lost)",
    ]


@pytest.mark.parametrize(
    ("options", "cache", "grace"),
    [
        ({"update_interval": 10, "cache_time": 25, "grace_time": 45}, 25, 45),
        # a reading must not be too old before the next one is due
        ({"update_interval": 300, "cache_time": 310, "grace_time": 320}, 600, 610),
        ({"update_interval": 3600}, 7200, 7500),
    ],
)
async def test_options_set_the_limits(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    options: dict[str, int],
    cache: int,
    grace: int,
) -> None:
    """Cache and grace as the user wants them, on time whatever the interval is; they follow it."""
    await set_up(hass, entry, stale_checks=10, heartbeat_interval=600, **options)
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, cache - 1, step=cache - 1)
    assert state(hass, STATUS) == "offline"
    await pass_time(hass, freezer, 2)
    assert state(hass, STATUS) == "disconnected"
    await pass_time(hass, freezer, grace - cache - 3, step=grace - cache - 3)
    assert state(hass, VOLTAGE) != STATE_UNAVAILABLE
    await pass_time(hass, freezer, 4)
    assert state(hass, STATUS) == "lost"
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE


async def test_polling_switched_off(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Home Assistant's own option: values stay by the same rule as if one came each day."""
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    polls = script.polls
    await pass_time(hass, freezer, 2 * 86_400 - 10, step=600)
    assert script.polls == polls
    assert state(hass, STATUS) == "connected"
    assert state(hass, VOLTAGE) != STATE_UNAVAILABLE
    await pass_time(hass, freezer, 1200, step=600)
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE


async def test_connect_timeout_grows(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """With the failures in a row, and back to the first after a success."""
    await set_up(hass, entry, heartbeat_interval=600, stale_checks=10)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 31 * 6)
    timeouts = [plan.connect_timeout for plan in script.plans]
    assert timeouts[:7] == [25, 25, 25, 25, 40, 45, 45]
    script.error = None
    await pass_time(hass, freezer, 31 * 2)
    assert [plan.connect_timeout for plan in script.plans][-1] == 25


async def test_manual_connect_timeout_and_unit(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Both options reach the reader."""
    script.device = VirtualDevice(unit_id=7, clock=lambda: NOW)
    await set_up(hass, entry, connect_timeout=55, unit_id=7)
    assert script.plans[0].connect_timeout == 55
    assert script.plans[0].units[0].unit_id == 7
    assert entry.data["unit_id"] == 32
    assert state(hass, STATUS) == "connected"


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ("automatic", RouteKind.ISOLATED),
        ("isolated", RouteKind.ISOLATED),
        ("in_process", RouteKind.IN_PROCESS),
    ],
)
async def test_route_option(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, route: str, kind: RouteKind
) -> None:
    """The user may force the route."""
    await set_up(hass, entry, route=route)
    assert script.routes[0].kind is kind


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_device_that_was_never_read(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The entry is there all the same and says why; sensors follow with the first reading."""
    script.error = ErrorCode.HELD_BY_OTHER
    await set_up(hass, entry)
    assert state(hass, STATUS) == "lost"
    assert state(hass, PROBLEM) == "held_by_other"
    assert state(hass, LAST) == STATE_UNKNOWN
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE
    assert hass.states.get(ENERGY) is None
    assert hass.states.get(FAULT) is None
    script.error = None
    await pass_time(hass, freezer, 31)
    assert state(hass, STATUS) == "connected"
    assert float(state(hass, VOLTAGE)) > 13
    assert float(state(hass, ENERGY)) > 4000
    assert state(hass, FAULT) == "off"
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert device.model == "RIV1230RCH-SPS"
    assert device.serial_number == "VIRTUAL00000000001"
    assert device.sw_version == "V1.0-virtual"


async def test_optional_sensors_are_remembered(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """After a restart without the device they are unavailable once the grace is over, not gone."""
    await set_up(hass, entry)
    energy = state(hass, ENERGY)
    assert float(energy) > 4000
    script.error = ErrorCode.NO_RESPONSE
    await hass.config_entries.async_unload(entry.entry_id)
    take_kept(hass, entry.entry_id)  # as a restart does
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, ENERGY) == energy
    assert state(hass, STATUS) == "offline"
    await pass_time(hass, freezer, 601, step=5)
    assert state(hass, ENERGY) == STATE_UNAVAILABLE


async def test_value_that_is_missing_is_unknown(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A reading without a value makes that value unknown, not the device unavailable."""
    await set_up(hass, entry)
    script.device.overrides = {4005: 0xFFFF, 4327: 120} | dict.fromkeys(range(4398, 4402), 0xFFFF)
    await pass_time(hass, freezer, 31)
    assert state(hass, VOLTAGE) == STATE_UNKNOWN
    assert state(hass, "sensor.btric134000035_battery") == STATE_UNKNOWN
    assert entry.runtime_data.only.supervisor.own.snapshot.dropped == ("battery_percentage",)
    assert state(hass, FAULT) == STATE_UNKNOWN
    assert float(state(hass, "sensor.btric134000035_output_voltage")) > 100


async def test_faults(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The worst one is the state; each group lists its own, the worst first."""
    await set_up(hass, entry)
    script.device.overrides = {4398: 21, 4399: 14, 4008: 1 << 14}
    await pass_time(hass, freezer, 31)
    assert state(hass, "sensor.btric134000035_worst_fault") == "inverter_overload"
    active = {
        FAULT: ["inverter_overload", "fan_fault", "battery_low"],
        "binary_sensor.btric134000035_load_fault": ["inverter_overload"],
        "binary_sensor.btric134000035_device_fault": ["fan_fault"],
        "binary_sensor.btric134000035_battery_fault": ["battery_low"],
        "binary_sensor.btric134000035_solar_fault": [],
        "binary_sensor.btric134000035_grid_fault": [],
    }
    for entity_id, texts in active.items():
        fault = hass.states.get(entity_id)
        assert fault is not None
        assert fault.state == ("on" if texts else "off")
        assert fault.attributes["active"] == texts
    script.device.overrides = {}
    await pass_time(hass, freezer, 31)
    assert state(hass, "sensor.btric134000035_worst_fault") == "none"
    assert {state(hass, entity_id) for entity_id in active} == {"off"}


async def test_block_that_is_never_answered_rests(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """After three misses it is left out for an hour; then it is asked for again."""
    answer = script.device.answer

    class Refusing(VirtualDevice):
        @override
        def answer(self, request: bytes) -> bytes | None:
            start = int.from_bytes(request[2:4], "big")
            return answer(ReadRequest(32, 1, 1).encode() if start == 4543 else request)

    script.device = Refusing(clock=lambda: NOW)
    await set_up(hass, entry)
    await pass_time(hass, freezer, 31 * 3)
    asked = ["energy" in plan.units[0].blocks for plan in script.plans]
    assert asked == [True, True, True, False]
    assert state(hass, STATUS) == "connected"
    await pass_time(hass, freezer, 3600)
    assert (
        "energy" in script.plans[-1].units[0].blocks or "energy" in script.plans[-2].units[0].blocks
    )


async def test_unit_and_model_are_remembered(hass: HomeAssistant, script: Script) -> None:
    """What a reading found is kept; a new model reloads the entry with its own sensors."""
    entry = MockConfigEntry(
        domain="blupow",
        version=2,
        title="BTRIC134000035",
        unique_id=INVERTER_ADDRESS,
        data={
            "address": INVERTER_ADDRESS,
            "name": "BTRIC134000035",
            "profile": "inverter",
            "model": None,
            "unit_id": None,
        },
    )
    script.device = VirtualDevice(model="RIV1230PCH-23S", clock=lambda: NOW)
    await set_up(hass, entry)
    assert entry.data["unit_id"] == 32
    assert entry.data["model"] == "RIV1230PCH"
    assert script.plans[0].units[0].unit_id is None
    assert script.plans[-1].units[0].unit_id == 32
    assert script.plans[-1].units[0].model is not None
    assert entry.runtime_data.only.supervisor.own.value("battery_voltage") is None


async def test_many_devices_at_the_start_of_home_assistant(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """They begin one after the other; one that is added later waits for nothing."""
    hass.set_state(CoreState.not_running)
    entries = [
        MockConfigEntry(
            domain=DOMAIN,
            version=2,
            title=name,
            unique_id=name,
            data={"address": "virtual", "name": name, "profile": "inverter"}
            | {"model": "RIV1230RCH", "unit_id": 32},
        )
        for name in ("one", "two", "three", "four")
    ]
    for entry in entries[:3]:
        await set_up(hass, entry)
    polls = [script.polls]
    for _ in range(4):
        await pass_time(hass, freezer, 1)
        polls.append(script.polls)
    assert polls == [1, 1, 2, 2, 3]
    hass.set_state(CoreState.running)
    await set_up(hass, entries[3])
    assert script.polls == 4


async def test_heard_again(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A device that had vanished is read as soon as it is heard, at most once in 10 s."""
    await set_up(hass, entry, update_interval=300)
    hear(hass, service_info(rssi=-50))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 1
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 302, heard=False)
    assert script.polls == 2
    hear(hass, service_info(rssi=-70))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 3
    hear(hass, service_info(rssi=-50))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 3
    script.error = None
    await pass_time(hass, freezer, 10, heard=False)
    hear(hass, service_info(rssi=-70))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 4
    assert state(hass, STATUS) == "connected"


async def test_heard_again_by_an_adapter_that_is_back(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """While there was none at all, the device could not be heard: it is read at once, like one that had vanished."""
    await set_up(hass, entry, update_interval=300)
    script.error, script.stage = ErrorCode.ADAPTER_UNAVAILABLE, Stage.START
    await entry.runtime_data.only.async_refresh()
    polls = script.polls
    script.error = None
    await pass_time(hass, freezer, 5, heard=False)
    hear(hass, service_info(rssi=-70))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == polls + 1
    assert state(hass, STATUS) == "connected"


async def test_heard_again_after_a_silence(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Home Assistant takes minutes to forget a device: 30 s without an advertisement count too."""
    await set_up(hass, entry, heartbeat_interval=600, update_interval=300)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 310)
    polls = script.polls
    await pass_time(hass, freezer, 60)
    assert script.polls == polls
    await pass_time(hass, freezer, 28, heard=False)
    hear(hass, service_info())
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == polls
    await pass_time(hass, freezer, 31, heard=False)
    hear(hass, service_info())
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == polls + 1


async def test_heard_again_while_a_poll_runs(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """If that poll fails all the same, the next advertisement brings another one."""
    await set_up(hass, entry, update_interval=300, heartbeat_interval=600)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 290, heard=False)
    script.gate.clear()
    polls = script.polls
    poll = asyncio.create_task(entry.runtime_data.only.async_refresh())
    while not script.at_once:
        await asyncio.sleep(0)
    hear(hass, service_info())
    assert script.polls == polls + 1
    script.gate.set()
    await poll
    script.error = None
    await pass_time(hass, freezer, 1)
    assert script.polls == polls + 2
    assert state(hass, STATUS) == "connected"


async def test_adverts_do_not_queue_up_polls(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """While a poll runs, and for a scanner that cannot connect, an advertisement starts none."""
    await set_up(hass, entry, update_interval=300)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 302, heard=False)
    assert script.polls == 2
    not_connectable = service_info(rssi=-70)
    not_connectable.connectable = False
    entry.runtime_data.only._on_advertisement(not_connectable)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 2
    script.error = None
    script.gate.clear()
    hear(hass, service_info(rssi=-70))
    while script.polls == 2:
        await asyncio.sleep(0)
    for _ in range(3):
        freezer.tick(timedelta(seconds=11))
        hear(hass, service_info(rssi=-50))
    script.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.polls == 3
    assert state(hass, STATUS) == "connected"
    await entry.runtime_data.only.supervisor._poll_again()
    assert script.polls == 3


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_other_options_do_not_lose_the_last_reading(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """In the middle of an outage a user gives more grace: the values stay, and their age counts on."""
    await set_up(hass, entry)
    voltage, last = state(hass, VOLTAGE), state(hass, LAST)
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 400)
    assert state(hass, STATUS) == "disconnected"
    failures = entry.runtime_data.only.supervisor.link.failures
    hass.config_entries.async_update_entry(entry, options={"grace_time": 1200})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, STATUS) == "disconnected"
    assert entry.runtime_data.only.supervisor.link.failures == failures + 1
    assert (state(hass, VOLTAGE), state(hass, LAST)) == (voltage, last)
    await pass_time(hass, freezer, 700)
    assert state(hass, VOLTAGE) == voltage
    await pass_time(hass, freezer, 110)
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE


async def test_another_model_forgets_the_last_reading(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Registers read as one model are never shown as another's; a removed entry is forgotten."""
    await set_up(hass, entry)
    script.error = ErrorCode.NO_RESPONSE
    hass.config_entries.async_update_entry(entry, data={**entry.data, "model": "RIV4835CSH1S"})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE
    assert entry.runtime_data.only.supervisor.link.snapshot is None
    await hass.config_entries.async_remove(entry.entry_id)
    assert take_kept(hass, entry.entry_id) is None


async def test_values_age_when_nothing_polls(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Old values are not shown for ever, and not as connected."""
    await set_up(hass, entry, stale_checks=10)
    entry.runtime_data.only.supervisor._cancel_due_poll()
    await pass_time(hass, freezer, 599)
    assert script.polls == 1
    assert state(hass, STATUS) == "connected"
    await pass_time(hass, freezer, 3)
    assert state(hass, STATUS) == "lost"
    assert state(hass, VOLTAGE) == STATE_UNAVAILABLE


async def test_fault_of_our_own_is_not_hidden(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """An unexpected exception counts as a failure; the status tells of it."""
    await set_up(hass, entry)
    script.fault = RuntimeError("bug")
    await pass_time(hass, freezer, 31)
    assert state(hass, STATUS) == "offline"
    assert state(hass, PROBLEM) == "reader_crashed"
    assert entry.runtime_data.only.supervisor.link.failures == 1
    script.fault = None
    await pass_time(hass, freezer, 31)
    assert state(hass, STATUS) == "connected"


async def test_change_of_route_is_logged_once(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A proxy that hears the device better takes over: one line."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    await set_up(hass, entry)
    with patch("custom_components.blupow.bluetooth.route.bluez.available", return_value=False):
        await pass_time(hass, freezer, 62)
    lines = [record.getMessage() for record in caplog.records if "[route]" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("[route] BTRIC134000035: now read in_process: heard best by")


async def test_slow_first_reading_does_not_hold_up_the_setup(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """A browser that goes away while a device is added would cancel a set-up that waits."""
    script.gate.clear()
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    while not script.at_once:
        await asyncio.sleep(0)
    assert state(hass, STATUS) == "lost"
    script.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state(hass, STATUS) == "connected"
    assert state(hass, VOLTAGE) not in ("unknown", "unavailable")


async def test_unload_and_stop(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Neither leaves a reader or a timer behind."""
    await set_up(hass, entry)
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 31)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert script.stopped
    polls = script.polls
    await pass_time(hass, freezer, 700)
    assert script.polls == polls
    script.error = None
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    stopped = script.stopped
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert script.stopped > stopped
    await pass_time(hass, freezer, 100)
    assert script.polls == polls + 1


async def test_failures_are_counted(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    entity_registry_enabled_by_default: None,
) -> None:
    """Each poll is counted, also beyond the first failure that the base class tells of."""
    await set_up(hass, entry, heartbeat_interval=600)
    counted = "sensor.btric134000035_consecutive_failures"
    assert state(hass, counted) == "0"
    script.error = ErrorCode.NO_RESPONSE
    for number in range(1, 4):
        await entry.runtime_data.only.async_refresh()
        await hass.async_block_till_done(wait_background_tasks=True)
        assert state(hass, counted) == str(number)


async def test_virtual_device(
    hass: HomeAssistant, virtual_entry: MockConfigEntry, script: Script
) -> None:
    """It says that it is a test, and needs no advertisement."""
    await set_up(hass, virtual_entry)
    prefix = "sensor.virtual_inverter_test_mode"
    assert state(hass, f"{prefix}_connection_status") == "test_mode"
    assert script.routes[0].kind is RouteKind.VIRTUAL
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), virtual_entry.entry_id)
    assert device.connections == set()


async def test_pace_of_the_polls(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The interval, a last effort between the cache's and the grace's end, slowly once it is lost."""
    await set_up(hass, entry, heartbeat_interval=600, stale_checks=10)
    coordinator = entry.runtime_data.only
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 295)
    assert coordinator.supervisor.pause == 30
    assert 9 <= script.polls <= 11
    await pass_time(hass, freezer, 45)
    assert coordinator.supervisor.pause == 5
    polls = script.polls
    await pass_time(hass, freezer, 60)
    # Home Assistant aligns each poll to a second: each may come up to one early or late
    assert 60 / 6 - 1 <= script.polls - polls <= 60 / 4
    await pass_time(hass, freezer, 220)
    assert coordinator.supervisor.pause == 120
    polls = script.polls
    await pass_time(hass, freezer, 605)
    assert script.polls - polls in (4, 5, 6)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 125)
    assert coordinator.supervisor.pause == 300
    script.error = None
    await coordinator.async_refresh()
    assert coordinator.supervisor.pause == 30


async def test_long_interval_does_not_delay_the_last_effort(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It begins when the cache ends."""
    await set_up(hass, entry, heartbeat_interval=600, stale_checks=10, update_interval=3600)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 7195, step=5)
    polls = script.polls
    await pass_time(hass, freezer, 20)
    assert script.polls - polls in (2, 3, 4)


async def test_device_that_is_heard_by_the_wrong_adapter(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Heard all the time, but not where the options want it: its advertisements bring no polls."""
    await set_up(hass, entry, heartbeat_interval=600, update_interval=300)
    script.error, script.stage = ErrorCode.NOT_ADVERTISING, Stage.CONNECT
    await pass_time(hass, freezer, 590)
    assert script.polls == 2


async def test_own_attempts_are_no_silence(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A device is silent while it is being connected: what follows is no return."""
    await set_up(hass, entry, heartbeat_interval=600, update_interval=300)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 305)
    script.gate.clear()
    poll = asyncio.create_task(entry.runtime_data.only.async_refresh())
    while not script.at_once:
        await asyncio.sleep(0)
    freezer.tick(timedelta(seconds=45))
    script.gate.set()
    await poll
    polls = script.polls
    await pass_time(hass, freezer, 100)
    assert script.polls == polls


async def test_poll_that_falls_due_while_registers_are_read(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It comes before whoever asks later: a caller that never stops does not starve the polls."""
    await set_up(hass, entry)
    script.gate.clear()
    spans = [Span(start=4000, words=1)]
    coordinator = entry.runtime_data.only
    reading = asyncio.create_task(
        coordinator.supervisor.read_registers(spans, coordinator.supervisor.own)
    )
    for _ in range(45):
        freezer.tick(timedelta(seconds=1))
        async_fire_time_changed(hass)
        await asyncio.sleep(0)
    assert script.polls == 2
    later = [
        asyncio.create_task(
            coordinator.supervisor.read_registers(spans, coordinator.supervisor.own)
        )
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    script.gate.set()
    await asyncio.gather(reading, *later)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [bool(plan.spans) for plan in script.plans] == [False, True, False, True, True, True]


async def test_registers_that_wait_when_home_assistant_stops(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """They are not read any more."""
    await set_up(hass, entry)
    script.gate.clear()
    coordinator = entry.runtime_data.only
    poll = asyncio.create_task(coordinator.async_refresh())
    while not script.at_once:
        await asyncio.sleep(0)
    reading = asyncio.create_task(
        coordinator.supervisor.read_registers(
            [Span(start=4000, words=1)], coordinator.supervisor.own
        )
    )
    await asyncio.sleep(0)
    await entry.runtime_data.only.async_shutdown()
    await poll
    with pytest.raises(Interrupted):
        await reading
    assert script.at_once == 0
    assert script.polls == 2


async def test_connection_lost_and_restored(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """One event each, when the values become unavailable and when they are back."""
    lost = async_capture_events(hass, "blupow_connection_lost")
    restored = async_capture_events(hass, "blupow_connection_restored")
    await set_up(hass, entry, heartbeat_interval=600)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    about = {"device_id": device.id, "entry_id": entry.entry_id, "name": "BTRIC134000035"}
    script.error = ErrorCode.HELD_BY_OTHER
    await pass_time(hass, freezer, 599)
    assert lost == []
    await pass_time(hass, freezer, 2)
    (event,) = lost
    assert event.data == about | {
        "problem": "held_by_other",
        "silence": 601,
        "failures": event.data["failures"],
    }
    await hass.config_entries.async_reload(entry.entry_id)
    await pass_time(hass, freezer, 400)
    assert len(lost) == 1
    assert restored == []
    script.error = None
    await pass_time(hass, freezer, 301)
    (event,) = restored
    assert event.data["device_id"] == device.id
    assert 1000 <= event.data["outage"] <= 1300
    await pass_time(hass, freezer, 60)
    assert (len(lost), len(restored)) == (1, 1)


async def test_short_outage_is_no_loss(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Values that are shown all the time are neither lost nor restored."""
    events = [
        async_capture_events(hass, f"blupow_connection_{what}") for what in ("lost", "restored")
    ]
    await set_up(hass, entry, heartbeat_interval=600)
    await pass_time(hass, freezer, 305)
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 150)
    assert state(hass, STATUS) == "offline"
    script.error = None
    await pass_time(hass, freezer, 31)
    assert state(hass, STATUS) == "connected"
    assert events == [[], []]


async def test_device_that_is_not_there_after_a_restart_is_lost_after_the_grace(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Not at once: after a restart it takes a while until anything is heard."""
    lost = async_capture_events(hass, "blupow_connection_lost")
    script.error = ErrorCode.NOT_ADVERTISING
    await set_up(hass, entry, heartbeat_interval=600)
    await pass_time(hass, freezer, 599, heard=False)
    assert lost == []
    await pass_time(hass, freezer, 2, heard=False)
    assert len(lost) == 1
    assert lost[0].data["problem"] == "not_advertising"


async def test_figures_of_the_link(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    entity_registry_enabled_by_default: None,
) -> None:
    """Rates, durations, ages and timeouts are those of the polls that were made."""
    prefix = "sensor.btric134000035_"
    await set_up(hass, entry, heartbeat_interval=600, update_interval=100)
    await pass_time(hass, freezer, 305, step=5)
    assert float(state(hass, f"{prefix}success_rate")) == 100
    assert float(state(hass, f"{prefix}availability")) == 100
    assert state(hass, f"{prefix}route") == "isolated"
    route = hass.states.get(f"{prefix}route")
    assert route is not None
    assert route.attributes["scanner"] == "00:00:00:00:00:01"
    assert float(state(hass, f"{prefix}signal_strength")) == -60
    assert float(state(hass, f"{prefix}connect_timeout")) == 25
    assert script.polls == 4
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 605, step=5)
    link = entry.runtime_data.only.supervisor.link
    assert len(link.polls) == link.failures + 4
    assert float(state(hass, f"{prefix}success_rate")) == pytest.approx(400 / len(link.polls))
    assert float(state(hass, f"{prefix}connect_timeout")) == 45
    assert float(state(hass, f"{prefix}data_age")) == pytest.approx(600, abs=10)
    await pass_time(hass, freezer, 300, step=5)
    # shown for 300 s and a grace of 600 s
    assert float(state(hass, f"{prefix}availability")) == pytest.approx(100 * 900 / 1200, abs=2)


async def test_duration_of_polls(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    freezer: FrozenDateTimeFactory,
    entity_registry_enabled_by_default: None,
) -> None:
    """The last good one's, and the mean of the good ones'."""
    await set_up(hass, entry)
    prefix = "sensor.btric134000035_"
    assert float(state(hass, f"{prefix}last_duration")) == 0
    script.gate.clear()
    freezer.tick(timedelta(seconds=30))
    async_fire_time_changed(hass)
    while not script.at_once:
        await asyncio.sleep(0)
    freezer.tick(timedelta(seconds=8))
    script.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert float(state(hass, f"{prefix}last_duration")) == 8
    assert float(state(hass, f"{prefix}average_duration")) == 4
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 40)
    assert float(state(hass, f"{prefix}last_duration")) == 8


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_availability_begins_with_the_first_poll(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The seconds before its outcome are no outage; a device that is not there is unavailable from then on."""
    availability = "sensor.btric134000035_availability"
    script.gate.clear()
    entry.add_to_hass(hass)
    setting_up = asyncio.create_task(hass.config_entries.async_setup(entry.entry_id))
    while not script.at_once:
        await asyncio.sleep(0)
    freezer.tick(timedelta(seconds=8))
    script.gate.set()
    await setting_up
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(hass, freezer, 35)
    assert float(state(hass, availability)) == 100


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_availability_of_a_device_that_is_not_there(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Nothing was shown in all the time that is known."""
    script.error = ErrorCode.CONNECT_TIMEOUT
    await set_up(hass, entry)
    await pass_time(hass, freezer, 65)
    assert float(state(hass, "sensor.btric134000035_availability")) == 0


async def test_entry_that_cannot_be_read(
    hass: HomeAssistant, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry without what it needs fails its set-up by its own cause, and by nothing after it."""
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={})
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert "AttributeError" not in caplog.text


async def test_update_that_is_asked_for_is_not_lost(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Home Assistant delays a second request by some seconds: a heartbeat meanwhile does not cancel it."""
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, pref_disable_polling=True, options={"heartbeat_interval": 10}
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(hass, freezer, 4)
    await entry.runtime_data.only.async_request_refresh()
    await entry.runtime_data.only.async_request_refresh()
    polls = script.polls
    await pass_time(hass, freezer, 15)
    assert script.polls == polls + 1
    assert polls == 2
