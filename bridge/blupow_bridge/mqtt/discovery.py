"""The discovery messages for Home Assistant: a device and all its entities in one.

Ids hold the address of the device, not the bridge: a device that is moved to another bridge keeps its entities.
"""

from collections.abc import Container, Iterator, Mapping
import json
from typing import Any, Final

from blupow_ble.profiles import presentation
from blupow_ble.profiles.declaration import Field, Info
from blupow_ble.profiles.presentation import Presentation
from blupow_ble.profiles.setting import Setting, SettingKind
from blupow_ble.protocol.errors import ErrorCode
from blupow_ble.reader.messages import Message
from blupow_ble.reader.result import Outcome
from blupow_ble.supervisor.bank import batteries_of
from blupow_ble.supervisor.policies import ConnectionStatus
from blupow_ble.supervisor.protocols import LinkEvent
from blupow_ble.supervisor.unit_state import UnitState

from ..device import BridgeDevice
from .names import name_of
from .topics import Topics

SUPPORT_URL: Final = "https://github.com/blupow/blupow"
MANUFACTURER: Final = "Renogy"
EXPIRY_MARGIN: Final = 120
"""Seconds beyond the grace and one interval after which an entity without any message is unavailable."""
PLATFORMS: Final = {
    SettingKind.NUMBER: "number",
    SettingKind.CHOICE: "select",
    SettingKind.SWITCH: "switch",
    SettingKind.TIME: "time",
}
VALUES: Final = {
    SettingKind.NUMBER: "{{ value }}",
    SettingKind.CHOICE: "{{ value | tojson }}",
    SettingKind.SWITCH: "{{ value }}",
    SettingKind.TIME: "{{ value[:5] | tojson }}",
}
"""What stands for the new value of a setting in the command that is sent."""
ANSWERS: Final = (*(outcome.value for outcome in Outcome), "failed", "unknown")
"""What may come of a command; `unknown`: nobody knows whether something was sent."""
NUMBER_OF_SECONDS: Final = {"device_class": "duration", "unit_of_measurement": "s"}
DURATION: Final = NUMBER_OF_SECONDS | {
    "state_class": "measurement",
    "suggested_display_precision": 1,
    "enabled_by_default": False,
}
PERCENT: Final = {"unit_of_measurement": "%", "state_class": "measurement"}
LINK_SENSORS: Final[dict[str, dict[str, Any]]] = {
    "connection_status": {
        "device_class": "enum",
        "options": [status.value for status in ConnectionStatus],
    },
    "problem": {
        "device_class": "enum",
        "options": [presentation.NONE, *(code.value for code in ErrorCode)],
    },
    "last_reading": {"device_class": "timestamp", "enabled_by_default": False},
    "success_rate": PERCENT | {"suggested_display_precision": 0, "enabled_by_default": False},
    "availability": PERCENT | {"suggested_display_precision": 1, "enabled_by_default": False},
    "consecutive_failures": {"state_class": "measurement", "enabled_by_default": False},
    "last_duration": DURATION,
    "average_duration": DURATION,
    "connect_timeout": NUMBER_OF_SECONDS
    | {"suggested_display_precision": 0, "enabled_by_default": False},
    "signal_strength": {
        "device_class": "signal_strength",
        "unit_of_measurement": "dBm",
        "state_class": "measurement",
        "suggested_display_precision": 0,
        "enabled_by_default": False,
    },
    "recoveries": {"state_class": "total_increasing", "enabled_by_default": False},
}
"""What is told of a link; without the age of the reading, which no message could keep up with."""

type Components = dict[str, dict[str, Any]]


def object_id(topics: Topics, device: BridgeDevice, unit: UnitState | None = None) -> str:
    """Return what a device, or a unit behind it, is known by to Home Assistant."""
    base = f"{topics.bridge_id}_{device.id}" if device.config.virtual else device.id
    return f"blupow_{base}" if unit is None or unit.own else f"blupow_{base}_{unit.key}"


def bridge_discovery(topics: Topics, name: str, version: str) -> Message:
    """Return the description of the bridge itself: whether it is there."""
    return {
        "device": {
            "identifiers": [f"blupow_{topics.bridge_id}"],
            "name": name,
            "manufacturer": "BluPow",
            "model": "Bridge",
            "sw_version": version,
        },
        "origin": _origin(version),
        "components": {
            "connectivity": {
                "platform": "binary_sensor",
                "unique_id": f"blupow_{topics.bridge_id}_connectivity",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                "state_topic": topics.availability,
                "payload_on": "online",
                "payload_off": "offline",
            }
        },
    }


def unit_discovery(
    topics: Topics,
    device: BridgeDevice,
    unit: UnitState,
    version: str,
    known: Mapping[str, str],
) -> Message:
    """Return the description of a unit and its entities.

    What only some devices send is described once it was sent, or where it is `known` from before: the
    platforms of entities by their keys. Those that are not there any more stay named by their platform
    alone, which has Home Assistant remove them.
    """
    several = len(device.supervisor.units) > 1
    found = object_id(topics, device, unit)
    components = dict(_components(topics, device, unit, known))
    if unit.own:
        components |= _link_components(topics, device) | _bank_components(topics, device)
    for key, component in components.items():
        component["unique_id"] = f"{found}_{key}"
    if _identified(unit):
        for key, platform in known.items():
            components.setdefault(key, {"platform": platform})
    about: Message = {
        "identifiers": [found],
        "name": _unit_name(device, unit) if several else device.config.name,
        "manufacturer": MANUFACTURER,
        "model": unit.info(Info.MODEL) or (unit.model.key if unit.model else None),
        "serial_number": unit.info(Info.SERIAL_NUMBER),
        "sw_version": unit.info(Info.VERSION),
        "hw_version": unit.info(Info.HARDWARE_VERSION),
        "via_device": f"blupow_{topics.bridge_id}" if unit.own else object_id(topics, device),
    }
    if unit.own and not device.config.virtual:
        about["connections"] = [["bluetooth", device.description.address]]
    return {
        "device": {key: value for key, value in about.items() if value is not None},
        "origin": _origin(version),
        "state_topic": topics.state(device.id),
        "availability": [_bridge_availability(topics), _unit_availability(topics, device, unit)],
        "availability_mode": "all",
        "qos": 1,
        "components": components,
    }


def _identified(unit: UnitState) -> bool:
    """Whether a unit has said what it is: until then nobody knows which entities it has not."""
    names_itself = any(field.info is Info.MODEL for field in unit.register_map.fields)
    return unit.snapshot is not None and (not names_itself or unit.info(Info.MODEL) is not None)


def _origin(version: str) -> Message:
    return {"name": "BluPow bridge", "sw_version": version, "support_url": SUPPORT_URL}


def _unit_name(device: BridgeDevice, unit: UnitState) -> str:
    number = unit.unit_id if unit.own else unit.key
    return f"{device.config.name} {unit.profile.name} {number or ''}".strip()


def _path(unit: UnitState, *keys: str) -> str:
    """Return where something of a unit stands in the state message, as templates know it."""
    parts = keys if unit.own else ("units", unit.key, *keys)
    return "value_json" + "".join(f"[{part!r}]" for part in parts)


def _on_or_off(path: str) -> str:
    return f"{{{{ iif({path}, 'ON', 'OFF', 'None') }}}}"


def _bridge_availability(topics: Topics) -> Message:
    return {"topic": topics.availability}


def _unit_availability(topics: Topics, device: BridgeDevice, unit: UnitState) -> Message:
    template = f"{{{{ iif({_path(unit, 'available')}, 'online', 'offline') }}}}"
    return {"topic": topics.state(device.id), "value_template": template}


def _components(
    topics: Topics, device: BridgeDevice, unit: UnitState, known: Container[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through the entities that show what a unit sends, and those that change its settings."""
    expiry = _expiry(device)
    for item in presentation.sensors_of(unit.register_map):
        if isinstance(item, Field):
            if item.optional and item.key not in known and not unit.has_sent(item.key):
                continue
            shown = presentation.of_field(item, unit.value(item.key))
            number = item.cell
        else:
            shown, number = presentation.of_computed(item), None
        yield item.key, _sensor(_path(unit, "values", item.key), shown, number, expiry)
    for estimate in unit.estimates:
        path = _path(unit, "values", estimate.key)
        yield estimate.key, _sensor(path, presentation.of_estimate(estimate), None, expiry)
    for field in presentation.flags_of(unit.register_map):
        if not field.optional or field.key in known or unit.has_sent(field.key):
            yield field.key, _flag(unit, presentation.of_flag(field), "values", expiry)
    for group in presentation.groups_of(unit.profile):
        shown = presentation.of_group(group)
        if shown.key in known or unit.has_reported(group):
            yield shown.key, _flag(unit, shown, "faults", expiry)
    worst = presentation.WORST_FAULT
    if unit.profile.faults and (worst in known or unit.active_faults is not None):
        shown = presentation.of_worst_fault(unit.profile)
        yield worst, _sensor(_path(unit, "faults", worst), shown, None, expiry)
    if device.config.allow_changes:
        for setting in unit.controls:
            key = f"setting_{setting.key}"
            if key in known or unit.setting(setting.key) is not None:
                yield key, _control(topics, device, unit, setting)


def _expiry(device: BridgeDevice) -> int:
    return device.config.grace_time + device.config.update_interval + EXPIRY_MARGIN


def _shown(platform: str, shown: Presentation, number: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "platform": platform,
        "name": name_of(platform, shown.text_key, number),
        "device_class": shown.device_class,
    }
    if shown.diagnostic:
        found["entity_category"] = "diagnostic"
    if not shown.enabled:
        found["enabled_by_default"] = False
    return found


def _sensor(path: str, shown: Presentation, number: int | None, expiry: int) -> dict[str, Any]:
    found = _shown("sensor", shown, number) | {
        "value_template": f"{{{{ {path} }}}}",
        "unit_of_measurement": shown.unit_of_measurement,
        "state_class": shown.state_class,
        "options": None if shown.options is None else list(shown.options),
        "expire_after": expiry,
    }
    if shown.precision is not None:  # of the unit that it is sent in: no other can be suggested
        found["suggested_display_precision"] = max(
            shown.precision - (presentation.KILO if shown.shown_in else 0), 0
        )
    return {key: value for key, value in found.items() if value is not None}


def _flag(unit: UnitState, shown: Presentation, part: str, expiry: int) -> dict[str, Any]:
    found = _shown("binary_sensor", shown) | {
        "value_template": _on_or_off(_path(unit, part, shown.key)),
        "expire_after": expiry,
    }
    return {key: value for key, value in found.items() if value is not None}


def _control(
    topics: Topics, device: BridgeDevice, unit: UnitState, setting: Setting
) -> dict[str, Any]:
    """Return the entity of a setting: available while what it is set to is known."""
    platform, path = PLATFORMS[setting.kind], _path(unit, "settings", setting.key)
    available = f"{_path(unit, 'available')} and {path} is not none"
    command = {"unit": unit.key, "changes": {setting.key: "VALUE"}, "sent": "SENT"}
    template = (
        json.dumps(command)
        .replace('"VALUE"', VALUES[setting.kind])
        .replace('"SENT"', "{{ now().timestamp() }}")
    )
    found: dict[str, Any] = {
        "platform": platform,
        "name": name_of(platform, setting.key),
        "value_template": f"{{{{ {path} }}}}",
        "command_topic": topics.set(device.id),
        "command_template": template,
        "enabled_by_default": unit.evidence(setting).confirmed,
        "availability": [
            _bridge_availability(topics),
            {
                "topic": topics.state(device.id),
                "value_template": f"{{{{ iif({available}, 'online', 'offline') }}}}",
            },
        ],
    }
    if not setting.primary:
        found["entity_category"] = "config"
    match setting.kind:
        case SettingKind.NUMBER:
            limits = unit.settings.limits(setting, unit.monotonic())
            measure = setting.unit_of_measurement
            found |= {"min": limits.low, "max": limits.high, "step": limits.step, "mode": "box"}
            found |= {"device_class": presentation.setting_class(setting)}
            found |= {"unit_of_measurement": measure.value if measure else None}
        case SettingKind.CHOICE:
            current = unit.setting(setting.key)
            extra = [] if current is None or current in setting.offered else [str(current)]
            found["options"] = [*setting.offered, *extra]
        case SettingKind.SWITCH:
            found |= {"payload_on": "true", "payload_off": "false"}
            found |= {"state_on": "ON", "state_off": "OFF", "value_template": _on_or_off(path)}
        case SettingKind.TIME:
            pass
    return {key: value for key, value in found.items() if value is not None}


def _bank_components(topics: Topics, device: BridgeDevice) -> Components:
    """Return the entities of what several batteries amount to; none where there are not several."""
    if not batteries_of(device.supervisor.units):
        return {}
    state = topics.state(device.id)
    template = "{{ iif(value_json['bank']['available'], 'online', 'offline') }}"
    availability = {
        "availability": [
            _bridge_availability(topics),
            {"topic": state, "value_template": template},
        ]
    }
    found: Components = {}
    for shown in presentation.BANK:
        path = f"value_json['bank'][{shown.key.removeprefix(presentation.BANK_PREFIX)!r}]"
        found[shown.key] = _sensor(path, shown, None, _expiry(device)) | availability
    return found


def _link_components(topics: Topics, device: BridgeDevice) -> Components:
    """Return the entities of the link: available as long as the bridge is."""
    alone = {"availability": [_bridge_availability(topics)]}
    found: Components = {}
    for key, described in LINK_SENSORS.items():
        path = "value_json['read_at']" if key == "last_reading" else f"value_json['link'][{key!r}]"
        found[key] = {
            "platform": "sensor",
            "name": name_of("sensor", key),
            "entity_category": "diagnostic",
            "value_template": f"{{{{ {path} }}}}",
            **described,
            **alone,
        }
    found["connection"] = {
        "platform": "event",
        "name": name_of("event", "connection"),
        "entity_category": "diagnostic",
        "state_topic": topics.event(device.id),
        "event_types": [event.value for event in LinkEvent],
        **alone,
    }
    found["reconnect"] = {
        "platform": "button",
        "name": name_of("button", "reconnect"),
        "entity_category": "diagnostic",
        "command_topic": topics.reconnect(device.id),
        "command_template": '{"sent": {{ now().timestamp() }}}',
        **alone,
    }
    if device.config.allow_changes:
        found["change"] = {
            "platform": "event",
            "name": "Change of settings",
            "entity_category": "diagnostic",
            "state_topic": topics.answer(device.id),
            "event_types": list(ANSWERS),
            **alone,
        }
    return found
