"""The state message of a device: what is shown of it now. Nothing in it is older than the grace time."""

from typing import Any

from blupow_ble.profiles import presentation
from blupow_ble.profiles.declaration import Info, Value
from blupow_ble.reader.messages import Message
from blupow_ble.supervisor.bank import batteries_of, known_bank
from blupow_ble.supervisor.unit_faults import active_faults, has_fault, worst_fault
from blupow_ble.supervisor.unit_state import UnitState

from ..device import BridgeDevice


def state_of(device: BridgeDevice) -> Message:
    """Return a device as it is: its link, its own unit, and the units behind it by their keys.

    Values have the units of measurement that the profile declares; None is unknown.
    """
    link = device.supervisor.link
    others = {unit.key: _unit(device, unit) for unit in device.supervisor.units if not unit.own}
    snapshot = link.snapshot
    return {
        "name": device.config.name,
        "read_at": None if snapshot is None else snapshot.taken_at.isoformat(timespec="seconds"),
        "link": _link(device),
        **_unit(device, device.supervisor.own),
        "units": others,
        "bank": _bank(device),
    }


def _link(device: BridgeDevice) -> Message:
    supervisor = device.supervisor
    link, state = supervisor.link, device.state
    share = link.availability.share(supervisor.own.monotonic())
    return {
        "connection_status": device.status,
        "problem": link.last_error.code.value if link.last_error else presentation.NONE,
        "signal_strength": state["rssi"],
        "success_rate": link.success_rate,
        "availability": None if share is None else round(100 * share, 1),
        "consecutive_failures": link.failures,
        "last_duration": _rounded(link.last_duration),
        "average_duration": _rounded(link.average_duration),
        "connect_timeout": supervisor.connect_timeout,
        "recoveries": link.recoveries,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _bank(device: BridgeDevice) -> Message | None:
    """Return what several batteries amount to; None where there are not several."""
    supervisor = device.supervisor
    if not (batteries := batteries_of(supervisor.units)):
        return None
    available = all(supervisor.health.shows(unit) for unit in batteries)
    bank = known_bank(batteries) if available else None
    fields = (item.key.removeprefix(presentation.BANK_PREFIX) for item in presentation.BANK)
    return {
        "available": available,
        **{field: None if bank is None else getattr(bank, field) for field in fields},
    }


def _unit(device: BridgeDevice, unit: UnitState) -> Message:
    shown = device.supervisor.health.shows(unit)
    found: Message = {
        "available": shown,
        "profile": unit.profile.key,
        "model": unit.info(Info.MODEL) or (unit.model.key if unit.model else None),
        "serial_number": unit.serial_number,
        "values": dict.fromkeys(value_keys(unit)),
        "faults": dict.fromkeys(fault_keys(unit)),
        "active_faults": None,
        "settings": {setting.key: None for setting in unit.controls},
    }
    if not shown:
        return found
    for key in found["values"]:
        found["values"][key] = _shown(unit, key)
    for group in presentation.groups_of(unit.profile):
        found["faults"][presentation.of_group(group).key] = has_fault(unit, group)
    if unit.profile.faults:
        found["faults"][presentation.WORST_FAULT] = worst_fault(unit)
        active = active_faults(unit, None)
        found["active_faults"] = (
            None if active is None else list(dict.fromkeys(fault.state for fault in active))
        )
    found["settings"] = {setting.key: unit.setting(setting.key) for setting in unit.controls}
    return found


def value_keys(unit: UnitState) -> list[str]:
    """Return the keys of all values that a unit may send, and of the energies that are estimated."""
    return [
        *(item.key for item in presentation.sensors_of(unit.register_map)),
        *(field.key for field in presentation.flags_of(unit.register_map)),
        *(estimate.key for estimate in unit.estimates),
    ]


def fault_keys(unit: UnitState) -> list[str]:
    """Return the keys of what is told of a unit's faults."""
    groups = presentation.groups_of(unit.profile)
    keys = [presentation.of_group(group).key for group in groups]
    return [*keys, presentation.WORST_FAULT] if groups else []


def _shown(unit: UnitState, key: str) -> Value | None:
    energy: Any = unit.energies.get(key)
    if energy is not None:
        return round(float(energy), 3)
    value = unit.value(key)
    return None if isinstance(value, list) else value
