"""The discovery of every model, checked by the schemas of Home Assistant's own MQTT integration."""

from datetime import UTC, datetime
import importlib
from pathlib import Path
from typing import Any

from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.declaration import Info
from blupow_ble.profiles.profile import Model, Profile
from blupow_ble.profiles.setting import SettingKind
from blupow_ble.reader.result import UnitReading
from blupow_ble.supervisor.unit_state import UnitState
from blupow_bridge.config import Config
from blupow_bridge.device import BridgeDevice
from blupow_bridge.hub import Hub
from blupow_bridge.mqtt.discovery import LINK_SENSORS, PLATFORMS, bridge_discovery, unit_discovery
from blupow_bridge.mqtt.state import state_of
from blupow_bridge.mqtt.topics import Topics
import pytest

from custom_components.blupow.link_sensors import LINK_SENSORS as COMPONENT_LINK_SENSORS
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

TOPICS = Topics(prefix="blupow", bridge_id="b1", discovery_prefix="homeassistant")
SHARED = ("state_topic", "availability", "availability_mode", "qos", "origin", "device")
MODELS = [(profile, model) for profile in PROFILES.values() for model in profile.models]


def device_of(folder: Path, profile: Profile, model: Model) -> BridgeDevice:
    """Return a device that has sent all settings, and every list of faults, with all bits clear."""
    config = Config(
        data=folder,
        devices=(
            {  # type: ignore[arg-type]
                "name": "Mine",
                "address": "C4:D3:6A:66:7E:D4",
                "profile": profile.key,
                "model": model.key,
                "allow_changes": True,
            },
        ),
    )
    hub = Hub(config)
    device = hub._device(config.devices[0], None)
    unit = device.supervisor.own
    spans = {span.start: (0,) * span.words for span in unit.register_map.controls.spans}
    fields = unit.register_map.fields
    reading = UnitReading(
        unit_id=1,
        model=model.key,
        values={field.key: [] for field in fields if field.listed}
        | {field.key: model.key for field in fields if field.info is Info.MODEL},
        failed={},
        dropped=[],
        unknown={},
        registers=spans | {block.start: (0,) * block.words for block in unit.register_map.blocks},
    )
    unit.keep(reading, datetime.now(UTC), unit.monotonic())
    device.supervisor.link.snapshot = None
    return device


def schema_of(platform: str) -> Any:
    """Return Home Assistant's schema of a component."""
    module = importlib.import_module(f"homeassistant.components.mqtt.{platform}")
    return module.DISCOVERY_SCHEMA


@pytest.mark.parametrize(("profile", "model"), MODELS, ids=lambda item: item.key)
async def test_every_model(
    hass: HomeAssistant, tmp_path: Path, profile: Profile, model: Model
) -> None:
    """Each entity is one that Home Assistant takes; its templates find what the state message holds."""
    device = device_of(tmp_path, profile, model)
    unit = device.supervisor.own
    optional = {field.key: "sensor" for field in unit.register_map.fields if not field.listed}
    on_the_page = {field.key for field in unit.register_map.fields if field.info}
    optional = {key: value for key, value in optional.items() if key not in on_the_page}
    described = unit_discovery(TOPICS, device, unit, "4.0.0", optional)
    DEVICE_DISCOVERY_SCHEMA(described)
    state = state_of(device)
    shared = {key: value for key, value in described.items() if key in SHARED}
    for key, component in described["components"].items():
        config = {name: value for name, value in component.items() if name != "platform"}
        schema_of(component["platform"])(shared | config)
        if "value_template" in config and "state_topic" not in config:
            rendered = Template(config["value_template"], hass).async_render(
                {"value_json": state}, parse_result=False
            )
            assert isinstance(rendered, str), key
        for place in config.get("availability", []):
            if "value_template" in place:
                found = Template(place["value_template"], hass).async_render({"value_json": state})
                assert found in ("online", "offline"), key
    names = [
        (component["platform"], component["name"]) for component in described["components"].values()
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("profile", "model"), MODELS, ids=lambda item: item.key)
def test_every_setting(tmp_path: Path, profile: Profile, model: Model) -> None:
    """Each that the user may change has its control, with the limits that are checked."""
    device = device_of(tmp_path, profile, model)
    unit = device.supervisor.own
    described = unit_discovery(TOPICS, device, unit, "4.0.0", {})["components"]
    controls = {key.removeprefix("setting_") for key in described if key.startswith("setting_")}
    assert controls == {item.key for item in unit.controls if unit.setting(item.key) is not None}
    for setting in unit.controls:
        if (found := described.get(f"setting_{setting.key}")) is None:
            continue
        assert found["platform"] == PLATFORMS[setting.kind]
        assert found["enabled_by_default"] is unit.evidence(setting).confirmed
        if setting.kind is SettingKind.NUMBER:
            limits = unit.settings.limits(setting, unit.monotonic())
            assert (found["min"], found["max"], found["step"]) == (
                limits.low,
                limits.high,
                limits.step,
            )
        if setting.kind is SettingKind.CHOICE:
            assert set(found["options"]) >= set(setting.offered)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (SettingKind.NUMBER, 13.6, 13.6),
        (SettingKind.NUMBER, 60, 60),
        (SettingKind.CHOICE, 'a "b"', 'a "b"'),
        (SettingKind.SWITCH, "true", True),
        (SettingKind.SWITCH, "false", False),
        (SettingKind.TIME, "08:30:00", "08:30"),
    ],
)
async def test_command_templates(
    hass: HomeAssistant, tmp_path: Path, kind: SettingKind, value: Any, wanted: Any
) -> None:
    """What Home Assistant sends is what the bridge understands, with when it was sent."""
    from blupow_bridge.mqtt.commands import Received, SetCommand, parse

    found = None
    for profile, model in MODELS:
        device = device_of(tmp_path, profile, model)
        unit = device.supervisor.own
        described = unit_discovery(TOPICS, device, unit, "4.0.0", {})["components"]
        for setting in unit.controls:
            if setting.kind is kind and f"setting_{setting.key}" in described:
                found = setting, described[f"setting_{setting.key}"]
    assert found is not None
    setting, component = found
    payload = Template(component["command_template"], hass).async_render(
        {"value": value}, parse_result=False
    )
    now = datetime.now(UTC).timestamp()
    command = parse(Received(command="set", payload=payload.encode(), retained=False, now=now))
    assert isinstance(command, SetCommand)
    assert command.changes == {setting.key: wanted}
    assert command.sent is not None
    assert abs(command.sent - now) < 60


async def test_several_batteries(hass: HomeAssistant, tmp_path: Path) -> None:
    """What they amount to is told while each of them is known."""
    config = Config(
        data=tmp_path,
        devices=(
            {  # type: ignore[arg-type]
                "name": "Bank",
                "address": "C4:D3:6A:66:7E:D4",
                "profile": "battery",
                "model": "SMART",
                "unit_id": 48,
                "units": [{"unit_id": 49, "profile": "battery", "model": "SMART"}],
            },
        ),
    )
    hub = Hub(config)
    device = hub._device(config.devices[0], None)
    own, other = device.supervisor.units

    def send(unit: UnitState, remaining: float, current: float) -> None:
        values = {
            "remaining_capacity": remaining,
            "total_capacity": 100.0,
            "battery_current": current,
            "battery_power": 13.0 * current,
        }
        reading = UnitReading(
            unit_id=unit.unit_id,
            model=None,
            values=dict(values),
            failed={},
            dropped=[],
            unknown={},
            registers={},
        )
        unit.keep(reading, datetime.now(UTC), unit.monotonic())

    nothing = dict.fromkeys(("percentage", "remaining_capacity", "current", "power"))
    send(own, 40.0, 2.0)
    assert state_of(device)["bank"] == {"available": False} | nothing
    send(other, 60.0, -1.0)
    state = state_of(device)
    assert state["bank"] == {
        "available": True,
        "percentage": 50.0,
        "remaining_capacity": 100.0,
        "current": 1.0,
        "power": 13.0,
    }
    described = unit_discovery(TOPICS, device, own, "4.0.0", {})
    DEVICE_DISCOVERY_SCHEMA(described)
    rendered = {
        key: Template(component["value_template"], hass).async_render({"value_json": state})
        for key, component in described["components"].items()
        if key.startswith("bank_")
    }
    assert rendered == {
        "bank_percentage": 50.0,
        "bank_remaining_capacity": 100.0,
        "bank_current": 1.0,
        "bank_power": 13.0,
    }
    other_device = unit_discovery(TOPICS, device, other, "4.0.0", {})
    assert not any(key.startswith("bank_") for key in other_device["components"])


def test_sensors_of_the_link() -> None:
    """They are shown as those of the integration are, disabled ones too."""
    theirs = {item.key: item for item in COMPONENT_LINK_SENSORS}
    assert theirs.keys() - LINK_SENSORS.keys() == {"data_age", "route"}
    for key, mine in LINK_SENSORS.items():
        wanted = theirs[key]
        assert mine.get("device_class") == wanted.device_class
        assert mine.get("state_class") == wanted.state_class
        assert mine.get("unit_of_measurement") == wanted.native_unit_of_measurement
        assert mine.get("suggested_display_precision") == wanted.suggested_display_precision
        assert mine.get("options") == wanted.options
        assert mine.get("enabled_by_default", True) == wanted.entity_registry_enabled_default


async def test_entities_that_are_gone(hass: HomeAssistant, tmp_path: Path) -> None:
    """They are named by their platform alone, which has Home Assistant remove them."""
    profile, model = MODELS[0]
    device = device_of(tmp_path, profile, model)
    unit = device.supervisor.own
    before = unit_discovery(TOPICS, device, unit, "4.0.0", {})["components"]
    known = {key: component["platform"] for key, component in before.items()}
    known |= {"gone": "sensor", "setting_gone": "number"}
    described = unit_discovery(TOPICS, device, unit, "4.0.0", known)
    DEVICE_DISCOVERY_SCHEMA(described)
    after = described["components"]
    assert after.pop("gone") == {"platform": "sensor"}
    assert after.pop("setting_gone") == {"platform": "number"}
    assert after == before
    # what it has not is not known before it has said what it is
    unit.identity.clear()
    described = unit_discovery(TOPICS, device, unit, "4.0.0", known)
    assert "gone" not in described["components"]


def test_bridge_itself() -> None:
    """It is a device too, which the others are connected by."""
    described = bridge_discovery(TOPICS, "Van", "4.0.0")
    DEVICE_DISCOVERY_SCHEMA(described)
    component = described["components"]["connectivity"]
    config = {name: value for name, value in component.items() if name != "platform"}
    schema_of("binary_sensor")(config | {"device": described["device"]})
