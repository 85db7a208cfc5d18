"""What happens to a link, as the event entity and the event bus name it."""

from typing import TYPE_CHECKING, Any

from homeassistant.const import ATTR_DEVICE_ID, ATTR_NAME
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from .const import DOMAIN
from .lib.blupow_ble.supervisor.protocols import LinkEvent, ScheduleEvent
from .lib.blupow_ble.supervisor.unit_state import UnitState

if TYPE_CHECKING:
    from .coordinator import BluPowCoordinator


def event_type(event: LinkEvent) -> str:
    """Return the name of an event on Home Assistant's event bus."""
    return f"{DOMAIN}_{event}"


def short_name(event: LinkEvent) -> str:
    """Return the name of an event as the event entity of a connection has it."""
    return event.removeprefix("connection_")


def signal(coordinator: BluPowCoordinator) -> SignalType[LinkEvent, dict[str, Any]]:
    """Return the signal that carries what happens to a link."""
    return SignalType(f"{DOMAIN}_{coordinator.key}_event")


def schedule_signal(
    coordinator: BluPowCoordinator, unit: UnitState
) -> SignalType[ScheduleEvent, dict[str, Any]]:
    """Return the signal that carries what the schedule of a unit does."""
    return SignalType(f"{DOMAIN}_{coordinator.key}_{unit.key}_schedule")


@callback
def send_schedule_event(
    coordinator: BluPowCoordinator, unit: UnitState, event: ScheduleEvent, facts: dict[str, Any]
) -> None:
    """Show what the schedule of a unit has done."""
    async_dispatcher_send(coordinator.hass, schedule_signal(coordinator, unit), event, facts)


@callback
def link_device_entry(coordinator: BluPowCoordinator) -> dr.DeviceEntry | None:
    """Return the device that the link leads to: of several units the module that they share."""
    registry = dr.async_get(coordinator.hass)
    return registry.async_get_device_by_identifier(
        (DOMAIN, coordinator.base_id), coordinator.config_entry.entry_id
    )


@callback
def fire(coordinator: BluPowCoordinator, event: LinkEvent, facts: dict[str, Any]) -> None:
    """Fire an event about a device's link."""
    device = link_device_entry(coordinator)
    about = {
        ATTR_DEVICE_ID: device.id if device else None,
        "entry_id": coordinator.config_entry.entry_id,
        ATTR_NAME: coordinator.name,
    }
    coordinator.hass.bus.async_fire(event_type(event), about | facts)
    async_dispatcher_send(coordinator.hass, signal(coordinator), event, facts)
