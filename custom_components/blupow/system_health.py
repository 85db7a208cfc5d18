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
    supervisors = [
        coordinator.supervisor
        for entry in entries
        for coordinator in entry.runtime_data.coordinators
    ]
    return {
        "devices": len(supervisors),
        "devices_connected": sum(item.health.status in FRESH for item in supervisors),
        "devices_recovering": sum(
            item.watchdog.recovering or item.link.failed_recoveries > 0 for item in supervisors
        ),
        "connectable_scanners": bluetooth.async_scanner_count(hass, connectable=True),
    }
