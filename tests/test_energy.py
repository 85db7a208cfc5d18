"""Energy: what devices count is guarded, what they do not count is estimated and says so."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    mock_restore_cache_with_extra_data,
)

from custom_components.blupow.lib.blupow_ble.profiles.controller import CONTROLLER
from custom_components.blupow.lib.blupow_ble.profiles.decoding import decode
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util

from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up, state

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

PREFIX = "sensor.bt_th_6a000035"
IN = f"{PREFIX}_battery_energy_in_estimated"
OUT = f"{PREFIX}_battery_energy_out_estimated"
TOTAL = f"{PREFIX}_solar_energy_total"


def stored_with(**unit: Any) -> dict[str, Any]:
    """Return what is stored of an entry whose controller has not been read lately."""
    known = {
        "profile": "controller",
        "model": "Rover",
        "counters": {},
        "energies": {},
        "day_mark": None,
        "values": None,
        "taken_at": None,
    }
    return {
        "announced_lost": False,
        "ignored_repairs": [],
        "fresh_at": None,
        "units": {"": known | unit},
    }


def current(amperes: float) -> dict[int, int]:
    """Return the registers of a battery at 12.0 V with a current."""
    return {5042: round(amperes * 100) & 0xFFFF, 5043: 120}


async def test_estimated_energy(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Both directions are integrated apart, over fresh readings only."""
    script.device = FAMILIES["battery"].device()
    script.device.overrides = current(10)
    await set_up(hass, FAMILIES["battery"].entry())
    assert (state(hass, IN), state(hass, OUT)) == ("0.0", "0.0")
    await pass_time(hass, freezer, 601)
    assert float(state(hass, IN)) == pytest.approx(0.120 / 6, abs=0.0011)
    assert float(state(hass, OUT)) == 0
    script.device.overrides = current(-10)
    await pass_time(hass, freezer, 600)
    assert float(state(hass, OUT)) == pytest.approx(0.120 / 6, abs=0.0011)
    before = (state(hass, IN), state(hass, OUT))
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 400)
    assert (state(hass, IN), state(hass, OUT)) == before
    script.error = None
    await pass_time(hass, freezer, 301)
    # the gap is not bridged: only what the readings after it span is counted
    flowed = float(state(hass, OUT)) - float(before[1])
    assert flowed <= 0.120 * 301 / 3600


async def test_estimate_goes_on_after_a_restart(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """From what was stored, not from zero."""
    stored = {"native_value": 1234.5, "native_unit_of_measurement": "Wh"}
    mock_restore_cache_with_extra_data(hass, [(State(IN, "1234.5"), stored)])
    script.device = FAMILIES["battery"].device()
    script.device.overrides = current(10)
    await set_up(hass, FAMILIES["battery"].entry())
    assert float(state(hass, IN)) == 1.2345
    await pass_time(hass, freezer, 61)
    assert 1.235 < float(state(hass, IN)) < 1.238


async def test_estimate_goes_on_after_a_power_cut(
    hass: HomeAssistant, script: Script, hass_storage: dict[str, Any]
) -> None:
    """From what was kept every five minutes: Home Assistant itself keeps states every fifteen."""
    entry = FAMILIES["battery"].entry()
    script.device = FAMILIES["battery"].device()
    hass_storage[f"blupow.{entry.entry_id}"] = {
        "version": 1,
        "data": stored_with(
            profile="battery", model="SMART", energies={"battery_energy_in": 2500.0}
        ),
    }
    await set_up(hass, entry)
    assert float(state(hass, IN)) == pytest.approx(2.5, abs=0.001)
    assert float(state(hass, OUT)) == 0


async def test_counter_that_jumps_is_dropped_and_counted(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """What was believed last stays; the sum of the dashboard never sees it."""
    script.device = FAMILIES["controller"].device()
    entry = FAMILIES["controller"].entry()
    await set_up(hass, entry)
    before = state(hass, TOTAL)
    script.device.overrides = {0x011C: 0x1000}
    await pass_time(hass, freezer, 31)
    shown = hass.states.get(TOTAL)
    assert shown is not None
    assert shown.state == before
    assert shown.attributes["last_read"] < dt_util.utcnow()
    own = entry.runtime_data.only.supervisor.own
    assert own.snapshot.dropped == ("solar_energy_total",)
    assert own.doubted == {"solar_energy_total": 1}
    script.device.overrides = {}
    await pass_time(hass, freezer, 31)
    assert state(hass, TOTAL) == before


async def test_counter_that_falls_is_a_reset(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Believed once it has lasted and counted."""
    script.device = FAMILIES["controller"].device()
    await set_up(hass, FAMILIES["controller"].entry())
    before = state(hass, TOTAL)
    script.device.overrides = {0x011C: 0, 0x011D: 3}
    await pass_time(hass, freezer, 301)
    assert state(hass, TOTAL) == before  # as long as the grace lasts
    await pass_time(hass, freezer, 310)
    assert state(hass, TOTAL) == "unknown"
    script.device.overrides = {0x011C: 0, 0x011D: 4}
    await pass_time(hass, freezer, 31)
    assert state(hass, TOTAL) == "0.004"


@pytest.mark.parametrize(("interval", "zeros"), [(10, 15), (30, 40), (30, 70), (60, 70), (60, 600)])
async def test_zeros_after_power_on(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    interval: int,
    zeros: int,
) -> None:
    """A device that starts sends zeros for a while: no state falls, so nothing is counted twice."""
    script.device = FAMILIES["controller"].device()
    await set_up(hass, FAMILIES["controller"].entry(), update_interval=interval)
    truth = state(hass, TOTAL)
    states = async_capture_events(hass, EVENT_STATE_CHANGED)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 1200, heard=False, step=5)
    script.error = None
    script.device.overrides = {0x011C: 0, 0x011D: 0}
    await pass_time(hass, freezer, zeros)
    script.device.overrides = {}
    await pass_time(hass, freezer, 300)
    assert state(hass, TOTAL) == truth
    shown = {event.data["new_state"].state for event in states if event.data["entity_id"] == TOTAL}
    assert shown <= {"unavailable", "unknown", truth}


async def test_counter_is_guarded_over_a_restart(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> None:
    """A device that starts beside Home Assistant sends zeros first: they are no reset."""
    entry = FAMILIES["controller"].entry()
    script.device = FAMILIES["controller"].device()
    truth = decode(CONTROLLER.register_map(), script.device.registers()).values
    hass_storage[f"blupow.{entry.entry_id}"] = {
        "version": 1,
        "data": stored_with(
            counters={"solar_energy_total": [truth["solar_energy_total"], freezer().timestamp()]}
        ),
    }
    script.device.overrides = {0x011C: 0, 0x011D: 0}
    await set_up(hass, entry)
    assert state(hass, TOTAL) == "unknown"
    script.device.overrides = {}
    await pass_time(hass, freezer, 31)
    assert float(state(hass, TOTAL)) == truth["solar_energy_total"] / 1000
    await pass_time(hass, freezer, 310)
    stored = hass_storage[f"blupow.{entry.entry_id}"]["data"]["units"][""]["counters"]
    assert stored["solar_energy_total"][0] == truth["solar_energy_total"]
    assert set(stored) == {
        f"{what}_{span}"
        for what in ("charged", "discharged", "solar_energy", "load_energy")
        for span in ("today", "total")
    }
    await hass.config_entries.async_remove(entry.entry_id)
    assert f"blupow.{entry.entry_id}" not in hass_storage
