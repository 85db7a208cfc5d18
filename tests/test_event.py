"""The event entity of a connection."""

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.core import HomeAssistant, State

from .helpers.bluetooth import hear, service_info
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up

CONNECTION = "event.btric134000035_connection"

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


def shown(hass: HomeAssistant) -> State:
    """Return what the event entity shows."""
    state = hass.states.get(CONNECTION)
    assert state is not None
    return state


async def test_lost_and_restored(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Each with its facts, at the time when it happened."""
    await set_up(hass, entry, heartbeat_interval=600)
    assert shown(hass).state == "unknown"
    assert shown(hass).attributes["event_types"] == ["lost", "restored", "recovery"]
    script.error = ErrorCode.HELD_BY_OTHER
    await pass_time(hass, freezer, 599)
    assert shown(hass).state == "unknown"
    await pass_time(hass, freezer, 2)
    lost = shown(hass)
    assert lost.attributes["event_type"] == "lost"
    assert (lost.attributes["problem"], lost.attributes["silence"]) == ("held_by_other", 601)
    script.error = None
    await pass_time(hass, freezer, 301)
    restored = shown(hass)
    assert restored.attributes["event_type"] == "restored"
    assert 600 < restored.attributes["outage"] < 1000
    assert "problem" not in restored.attributes
    assert restored.state > lost.state


async def test_recovery(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Its end is reported, whoever began it."""
    await set_up(hass, entry)
    await hass.services.async_call(
        "button", "press", {"entity_id": "button.btric134000035_reconnect"}, blocking=True
    )
    reported = shown(hass).attributes
    assert (reported["event_type"], reported["trigger"], reported["worked"]) == (
        "recovery",
        "user",
        True,
    )
    assert reported["step"] == 1


async def test_restored_by_the_first_reading_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The entity is there before that reading is taken."""
    await set_up(hass, entry, heartbeat_interval=600)
    script.error = ErrorCode.HELD_BY_OTHER
    await pass_time(hass, freezer, 601)
    assert shown(hass).attributes["event_type"] == "lost"
    script.error = None
    await hass.config_entries.async_unload(entry.entry_id)
    hear(hass, service_info())
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown(hass).attributes["event_type"] == "restored"
