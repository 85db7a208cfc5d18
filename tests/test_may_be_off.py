"""A device that is switched off at times: while it is not heard nothing is wrong."""

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant

from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up, state
from .test_repairs import shown

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

PREFIX = "sensor.btric134000035"


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
async def test_night(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """No repair, no recovery, no event; a state of its own; the availability leaves the night out."""
    events = [
        async_capture_events(hass, f"blupow_{what}")
        for what in ("connection_lost", "connection_restored", "recovery")
    ]
    await set_up(hass, entry, may_be_off=True)
    await pass_time(hass, freezer, 600, step=10)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 8 * 3600, heard=False, step=30)
    assert state(hass, f"{PREFIX}_connection_status") == "not_heard"
    assert state(hass, f"{PREFIX}_battery_voltage") == "unavailable"
    assert shown(hass) == {}
    script.error = None
    await pass_time(hass, freezer, 600, step=10)
    assert state(hass, f"{PREFIX}_connection_status") == "connected"
    assert events == [[], [], []]
    assert float(state(hass, f"{PREFIX}_availability")) == pytest.approx(100, abs=2)


async def test_heard_but_not_read(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """What is on and cannot be read is reported as ever; its silence counts from when it was heard."""
    lost = async_capture_events(hass, "blupow_connection_lost")
    await set_up(hass, entry, may_be_off=True)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 3600, heard=False, step=30)
    script.error = ErrorCode.HELD_BY_OTHER
    await pass_time(hass, freezer, 540, step=5)
    assert lost == []
    await pass_time(hass, freezer, 400, step=5)
    (event,) = lost
    assert event.data["problem"] == "held_by_other"
    assert "held_by_other" in shown(hass)


async def test_without_the_option(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It is lost, and says so."""
    await set_up(hass, entry)
    script.error = ErrorCode.NOT_ADVERTISING
    await pass_time(hass, freezer, 1200, heard=False, step=5)
    assert state(hass, f"{PREFIX}_connection_status") == "lost"
    assert "not_heard" in shown(hass)
