"""What Home Assistant's system information says of BluPow."""

from typing import Any

from homeassistant.components import bluetooth, system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .lib.blupow_ble.supervisor.policies import ConnectionStatus

FRESH = frozenset({ConnectionStatus.CONNECTED, ConnectionStatus.TEST_MODE})


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register what there is to say."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return how many devices there are, and how many of them are read."""
    entries = hass.config_entries.async_loaded_entries(DOMAIN)
    coordinators = [entry.runtime_data.coordinator for entry in entries]
    return {
        "devices": len(coordinators),
        "devices_connected": sum(item.status in FRESH for item in coordinators),
        "devices_recovering": sum(
            entry.runtime_data.watchdog.recovering
            or entry.runtime_data.coordinator.link.failed_recoveries > 0
            for entry in entries
        ),
        "connectable_scanners": bluetooth.async_scanner_count(hass, connectable=True),
    }
