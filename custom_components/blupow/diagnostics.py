"""The diagnostics download: everything known about a link, without what identifies its owner."""

from collections.abc import Mapping
from dataclasses import asdict
import re
import time
from typing import Any, Final

from homeassistant.components import bluetooth
from homeassistant.components.bluetooth import BluetoothReachabilityIntent
from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_NAME, CONF_TOKEN
from homeassistant.core import HomeAssistant

from .const import CONF_SERIAL_NUMBER
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles.declaration import Info
from .lib.blupow_ble.supervisor.unit_state import UnitState

_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{2}([:_-][0-9A-Fa-f]{2}){5}")


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: BluPowConfigEntry
) -> dict[str, Any]:
    """Return what is known; nothing is asked of the device."""
    found: dict[str, Any] = {
        "data": async_redact_data(
            entry.data, {CONF_ADDRESS, CONF_HOST, CONF_NAME, CONF_SERIAL_NUMBER, CONF_TOKEN}
        ),
        "options": dict(entry.options),
    }
    secrets = [entry.data.get(CONF_NAME), entry.title]
    if (data := getattr(entry, "runtime_data", None)) is not None:
        links = [_link(hass, coordinator) for coordinator in data.coordinators]
        if data.bridge is None:
            found |= links[0]
        else:
            found |= {"bridge": data.bridge.report(), "devices": links}
        for coordinator in data.coordinators:
            secrets += [coordinator.name, *_serial_numbers(coordinator)]
    redacted: dict[str, Any] = _redacted(found, [secret for secret in secrets if secret])
    return redacted


def _link(hass: HomeAssistant, coordinator: BluPowCoordinator) -> dict[str, Any]:
    supervisor, link = coordinator.supervisor, coordinator.supervisor.link
    now = time.monotonic()
    return {
        "options_in_use": asdict(coordinator.options),
        "status": supervisor.health.status,
        "silence": round(supervisor.health.silence),
        "failures": link.failures,
        "connect_timeout": supervisor.connect_timeout,
        "problem": str(link.last_error) if link.last_error else None,
        "success_rate": link.success_rate,
        "availability": {
            "share": link.availability.share(now),
            "observed": round(link.availability.observed(now)),
        },
        "pause": supervisor.pause,
        "partial_polls": link.partial_polls,
        "recovery": supervisor.watchdog.report(),
        "snapshot": _snapshot(coordinator),
        "units": [_unit(unit) for unit in coordinator.supervisor.units],
        "polls": [
            {
                "at": poll.at,
                "seconds": round(poll.seconds, 2),
                "error": str(poll.error) if poll.error else None,
                "partial": poll.partial,
                "stage": poll.error.stage if poll.error else None,
            }
            for poll in link.polls
        ],
        "events": [asdict(line) for line in link.log.lines],
        "scanners": coordinator.scanner_report(),
        "no_reader_process": coordinator.why_no_process,
        "bluetooth": None
        if coordinator.virtual or coordinator.remote
        else _bluetooth(hass, coordinator.address),
    }


def _snapshot(coordinator: BluPowCoordinator) -> dict[str, Any] | None:
    """Return how the last fresh reading came."""
    if (snapshot := coordinator.supervisor.link.snapshot) is None:
        return None
    return {
        "taken_at": snapshot.taken_at,
        "route": {
            "kind": snapshot.route.kind,
            "reason": snapshot.route.reason,
            "adapter": snapshot.route.device.adapter,
        },
        "timings": asdict(snapshot.timings),
        "attempts": snapshot.attempts,
    }


def _unit(unit: UnitState) -> dict[str, Any]:
    """Return what is known of a unit, with its registers less those that hold a serial number."""
    known = {
        "key": unit.key,
        "profile": unit.profile.key,
        "model": unit.model.key if unit.model else None,
        "unit_id": unit.unit_id,
        "identity": unit.identity,
        "unresponsive": unit.unresponsive,
        "doubted": dict(unit.doubted),
        "unrecognized": dict(unit.unrecognized),
        "settings": {item.key: unit.setting(item.key) for item in unit.controls},
        "sent_today": dict(unit.settings.writes.counts),
        "schedule": asdict(unit.schedule),
    }
    if (snapshot := unit.snapshot) is None:
        return known
    private = {
        register
        for field in unit.register_map.fields
        if field.info is Info.SERIAL_NUMBER
        for register in field.registers
    }
    return known | {
        "taken_at": snapshot.taken_at,
        "values": snapshot.values,
        "failed_blocks": snapshot.failed,
        "dropped": snapshot.dropped,
        "registers": {
            str(start): [
                REDACTED if start + offset in private else f"{word:04X}"
                for offset, word in enumerate(words)
            ]
            for start, words in snapshot.registers.items()
        },
    }


def _bluetooth(hass: HomeAssistant, address: str) -> dict[str, Any]:
    """Return who hears the device."""
    heard = bluetooth.async_scanner_devices_by_address(hass, address, connectable=False)
    return {
        "scanners": [
            {
                "name": item.scanner.name,
                "connectable": item.scanner.connectable,
                "signal_strength": item.advertisement.rssi,
            }
            for item in heard
        ],
        "reachability": bluetooth.async_address_reachability_diagnostics(
            hass, address, BluetoothReachabilityIntent.CONNECTION
        ),
    }


def _serial_numbers(coordinator: BluPowCoordinator) -> list[str]:
    serial_numbers = [unit.info(Info.SERIAL_NUMBER) for unit in coordinator.supervisor.units]
    return [number for number in serial_numbers if number is not None]


def _redacted(found: Any, secrets: list[str]) -> Any:
    """Return the same without addresses and secrets, wherever they stand."""
    if isinstance(found, Mapping):
        return {str(key): _redacted(value, secrets) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_redacted(item, secrets) for item in found]
    if not isinstance(found, str):
        return found
    for secret in secrets:
        found = found.replace(secret, REDACTED)
    return _ADDRESS.sub(REDACTED, found)
