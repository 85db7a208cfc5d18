"""The triggers of a device, as the automation editor offers them and an automation uses them."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_get_device_automations,
    async_mock_service,
)

from custom_components.blupow import events
from custom_components.blupow.events import LinkEvent
from homeassistant.components.device_automation import DeviceAutomationType
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component

from .timeline import set_up

pytestmark = pytest.mark.usefixtures("heard", "script")


def triggers_of(device_id: str) -> list[dict[str, Any]]:
    """Return the triggers that a device has."""
    common = {"platform": "device", "domain": "blupow", "device_id": device_id}
    return [common | {"type": event.value} for event in LinkEvent]


async def test_offered_triggers(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Lost, restored, recovery."""
    await set_up(hass, entry)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    offered = await async_get_device_automations(hass, DeviceAutomationType.TRIGGER, device.id)
    ours = [trigger for trigger in offered if trigger["domain"] == "blupow"]
    assert ours == [trigger | {"metadata": {}} for trigger in triggers_of(device.id)]


async def test_trigger_of_one_device(
    hass: HomeAssistant, entry: MockConfigEntry, virtual_entry: MockConfigEntry
) -> None:
    """It fires for its own device and its own event alone."""
    await set_up(hass, entry)
    await set_up(hass, virtual_entry)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    told = async_mock_service(hass, "test", "tell")
    automations = [
        {
            "triggers": [trigger],
            "actions": [
                {"action": "test.tell", "data": {"what": "{{ trigger.event.event_type }}"}}
            ],
        }
        for trigger in triggers_of(device.id)
    ]
    assert await async_setup_component(hass, "automation", {"automation": automations})
    await hass.async_block_till_done()
    for event in LinkEvent:
        events.fire(hass, virtual_entry, event, {})
    await hass.async_block_till_done()
    assert told == []
    for event in LinkEvent:
        events.fire(hass, entry, event, {})
    await hass.async_block_till_done()
    assert sorted(call.data["what"] for call in told) == [
        "blupow_connection_lost",
        "blupow_connection_restored",
        "blupow_recovery",
    ]
