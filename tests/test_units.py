"""Several units behind one module: found when the user asks, a device each, none takes another down."""

from dataclasses import replace
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.reader.result import Finding
from custom_components.blupow.lib.blupow_ble.supervisor.unit_matching import new_units
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualBus, virtual_bus
from custom_components.blupow.unit_offers import add_units
from custom_components.blupow.units import new_subentries, units_of
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import pass_time, set_up, state
from .test_config_flow import answer

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")

BATTERY = FAMILIES["battery"]
HUB = FAMILIES["hub"]
PREFIX = "sensor.bt_th_6a000035"


def bus(*units: tuple[str, int]) -> VirtualBus:
    """Return devices behind one module."""
    return virtual_bus(units, lambda: NOW)


def two_batteries() -> MockConfigEntry:
    """Return the entry of two batteries. By a frozen clock no search ends: its silence is waited for."""
    return HUB.entry(HUB.more[:1])


def more_units(entry: MockConfigEntry) -> list[dict[str, Any]]:
    """Return what the subentries of an entry hold, each with its key."""
    return [{"key": subentry.unique_id, **subentry.data} for subentry in entry.subentries.values()]


async def search(hass: HomeAssistant, entry: MockConfigEntry, **typed: float) -> dict[str, Any]:
    """Have the user look for other units."""
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "unit"), context={"source": "user"}
    )
    assert result["step_id"] == "user"
    return await go_on(hass, result, **typed)


async def go_on(hass: HomeAssistant, result: dict[str, Any], **typed: float) -> dict[str, Any]:
    """Have the search begin, and wait for its end."""
    flows = hass.config_entries.subentries
    result = await flows.async_configure(result["flow_id"], typed)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        assert result["progress_action"] == "find_units"
        await hass.async_block_till_done()
        result = await flows.async_configure(result["flow_id"])
    return result


async def add(hass: HomeAssistant, result: dict[str, Any], *units: str) -> None:
    """Have the user add some of those found."""
    result = await hass.config_entries.subentries.async_configure(
        result["flow_id"], {"units": list(units)}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_units_are_found_and_added(hass: HomeAssistant, script: Script) -> None:
    """Those that the user chooses become devices of their own, connected via the module."""
    script.device = bus(("battery", 48), ("battery", 49), ("controller", 96))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    before = state(hass, f"{PREFIX}_battery_voltage")
    result = await search(hass, entry)
    assert result["step_id"] == "add_units"
    (field,) = result["data_schema"].schema
    assert field.default() == ["49", "96"]
    options = result["data_schema"].schema["units"].config["options"]
    assert [option["label"] for option in options] == [
        "49: Battery, RBT100LFP12-BT, serial number VIRTUAL-BATT-049",
        "96: Charge controller, RNG-CTRL-RVR40, serial number 1501FFFF",
    ]
    await add(hass, result, "49")
    assert [unit["unit_id"] for unit in more_units(entry)] == [49]
    assert entry.data["serial_number"] == "VIRTUAL-BATT-048"
    registry = dr.async_get(hass)
    devices = {
        device.name: device
        for device in dr.async_entries_for_config_entry(registry, entry.entry_id)
    }
    module = devices["BT-TH-6A000035"]
    assert module.model == "Bluetooth module"
    assert set(devices) == {
        "BT-TH-6A000035",
        "BT-TH-6A000035 Battery 48",
        "BT-TH-6A000035 Battery 49",
    }
    for unit in (48, 49):
        device = devices[f"BT-TH-6A000035 Battery {unit}"]
        assert device.via_device_id == module.id
        assert device.serial_number == f"VIRTUAL-BATT-0{unit}"
        assert device.model == "RBT100LFP12-BT"
    # the first one's entities stay what they were
    assert state(hass, f"{PREFIX}_battery_voltage") == before
    entities = er.async_get(hass)
    own = entities.async_get(f"{PREFIX}_battery_voltage")
    assert own is not None
    assert own.device_id == devices["BT-TH-6A000035 Battery 48"].id
    # a second search finds what is left
    result = await search(hass, entry)
    await add(hass, result, "96")
    assert [unit["key"] for unit in more_units(entry)] == ["49", "96"]
    assert script.plans[-1].units[2].profile.key == "controller"


async def test_nothing_more_is_found(hass: HomeAssistant, script: Script) -> None:
    """The form says so, and can be tried again; a failure is reported by its code."""
    script.device = bus(("battery", 48))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    result = await search(hass, entry)
    assert result["errors"] == {"base": "no_more_units"}
    script.error = ErrorCode.CONNECT_TIMEOUT
    result = await go_on(hass, result)
    assert result["errors"] == {"base": "connect_timeout"}
    script.error = None
    script.device = bus(("battery", 48), ("battery", 51))
    result = await go_on(hass, result)
    assert result["step_id"] == "add_units"
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], {"units": []})
    assert result["errors"] == {"base": "no_unit_chosen"}


async def test_units_that_were_added_meanwhile(hass: HomeAssistant, script: Script) -> None:
    """By a repair, while the form was open: the user gets an error, and can search again."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    result = await search(hass, entry)
    found = Finding(unit_id=49, profile="battery", model="SMART", serial_number="VIRTUAL-BATT-049")
    add_units(hass, entry, entry.runtime_data.only.supervisor.own, [found])
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await hass.config_entries.subentries.async_configure(
        result["flow_id"], {"units": ["49"]}
    )
    assert (result["step_id"], result["errors"]) == ("user", {"base": "no_more_units"})


async def test_search_needs_a_loaded_entry(hass: HomeAssistant, script: Script) -> None:
    """An entry that is not loaded has nobody who could search."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    result = await search(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    flows = hass.config_entries.subentries
    result = await flows.async_configure(result["flow_id"], {"units": ["49"]})
    assert result["reason"] == "not_loaded"
    assert entry.state is ConfigEntryState.NOT_LOADED
    result = await flows.async_init((entry.entry_id, "unit"), context={"source": "user"})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "not_loaded"


async def test_universal_address_is_given_up(hass: HomeAssistant, script: Script) -> None:
    """On a bus of several, all would answer it at once."""
    script.device = bus(("battery", 48))
    entry = BATTERY.entry()
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "unit_id": 255})

    class Echoing(VirtualBus):
        def answer(self, request: bytes) -> bytes | None:
            reply = super().answer(request)
            if reply is None or request[0] != 255:
                return reply
            from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal

            return seal(bytes((255,)) + reply[1:-2])

    script.device = Echoing(script.device.devices)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data["unit_id"] == 255
    script.device.devices += bus(("battery", 49)).devices
    result = await search(hass, entry)
    await add(hass, result, "49")
    assert entry.data["unit_id"] == 48


async def test_batteries_that_were_plugged_in_again(hass: HomeAssistant, script: Script) -> None:
    """Their addresses have changed; the serial number tells who is who, and names stay."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await add(hass, await search(hass, entry), "49")
    first, second = script.device.devices
    first.unit_id, second.unit_id = 50, 48
    first.overrides = dict(zip(range(5110, 5118), _text("VIRTUAL-BATT-048"), strict=True))
    second.overrides = dict(zip(range(5110, 5118), _text("VIRTUAL-BATT-049"), strict=True))
    script.device.devices += bus(("battery", 51)).devices
    await add(hass, await search(hass, entry), "51")
    assert entry.data["unit_id"] == 50
    assert [(unit["key"], unit["unit_id"]) for unit in more_units(entry)] == [
        ("49", 48),
        ("51", 51),
    ]


def _text(text: str) -> list[int]:
    return [int.from_bytes(text[at : at + 2].encode()) for at in range(0, len(text), 2)]


async def test_silent_unit(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Its values go at its own grace's end, the others stay; both are announced once."""
    script.device = HUB.device()
    entry = HUB.entry()
    await set_up(hass, entry)
    battery = f"{PREFIX}_battery_49_battery_voltage"
    controller = f"{PREFIX}_charge_controller_96_battery_voltage"
    assert state(hass, battery) == "13.2"
    assert state(hass, f"{PREFIX}_bank_percentage") not in ("unknown", "unavailable")
    everybody = script.device.devices
    refusing = everybody[1]
    refusing.kind = "srne"  # answers, but not for what a battery is asked
    await pass_time(hass, freezer, 590)
    assert state(hass, battery) == "13.2"
    await pass_time(hass, freezer, 15)
    assert state(hass, battery) == "unavailable"
    assert state(hass, f"{PREFIX}_bank_percentage") == "unavailable"
    assert state(hass, controller) != "unavailable"
    assert state(hass, f"{PREFIX}_connection_status") == "connected"
    refusing.kind = "battery"
    await pass_time(hass, freezer, 31)
    assert state(hass, battery) == "13.2"
    lines = entry.runtime_data.only.supervisor.link.log.lines
    reported = [line.text for line in lines if "unit 49" in line.text]
    assert [text.partition("unit 49 ")[2].split(" ")[0] for text in reported] == ["does", "answers"]


async def test_bank_is_known_only_while_all_of_it_is(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """A sum of parts is no total."""
    script.device = HUB.device()
    await set_up(hass, HUB.entry())
    for key, unit_key, digits in (
        ("current", "battery_current", 2),
        ("power", "battery_power", 1),
    ):
        parts = [f"{PREFIX}_battery_{unit}_{unit_key}" for unit in (48, 49)]
        total = sum(float(state(hass, part)) for part in parts)
        assert float(state(hass, f"{PREFIX}_bank_{key}")) == round(total, digits)
    script.device.devices[1].overrides = {5043: 5000}  # a voltage that cannot be: no power either
    await pass_time(hass, freezer, 31)
    assert state(hass, f"{PREFIX}_bank_power") == "unknown"


async def test_unit_is_removed(
    hass: HomeAssistant, script: Script, hass_ws_client: WebSocketGenerator
) -> None:
    """A unit that is gone for good can be deleted, with its device and its entities."""
    assert await async_setup_component(hass, "config", {})
    script.device = HUB.device()
    entry = HUB.entry()
    await set_up(hass, entry)
    client = await hass_ws_client(hass)
    registry = dr.async_get(hass)
    assert len(dr.async_entries_for_config_entry(registry, entry.entry_id)) == 4
    for subentry_id in list(entry.subentries):
        await client.send_json_auto_id(
            {
                "type": "config_entries/subentries/delete",
                "entry_id": entry.entry_id,
                "subentry_id": subentry_id,
            }
        )
        assert (await client.receive_json())["success"]
        await hass.async_block_till_done(wait_background_tasks=True)
    assert more_units(entry) == []
    # with one unit left, module and unit are one device again
    (left,) = dr.async_entries_for_config_entry(registry, entry.entry_id)
    assert left.identifiers == {(DOMAIN, INVERTER_ADDRESS)}
    assert left.serial_number == "VIRTUAL-BATT-048"
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert not [item for item in entities if "_49_" in item.unique_id or "_96_" in item.unique_id]
    assert len(script.plans[-1].units) == 1


async def test_several_units_are_added_by_one_reload(hass: HomeAssistant, script: Script) -> None:
    """Each is a subentry, a device and entities of its own."""
    script.device = HUB.device()
    entry = BATTERY.entry()
    await set_up(hass, entry)
    before = script.polls
    await add(hass, await search(hass, entry), "49", "96")
    assert script.polls == before + 1
    ids = {subentry.unique_id: subentry.subentry_id for subentry in entry.subentries.values()}
    assert [subentry.title for subentry in entry.subentries.values()] == [
        "Battery 49",
        "Charge controller 96",
    ]
    for key, name in (("49", "Battery 49"), ("96", "Charge controller 96")):
        device = dr.async_get(hass).async_get_device_by_identifier(
            (DOMAIN, f"{INVERTER_ADDRESS}_unit_{key}"), entry.entry_id
        )
        assert device is not None
        assert (device.name, device.config_subentry_id) == (f"BT-TH-6A000035 {name}", ids[key])
        entities = er.async_entries_for_device(er.async_get(hass), device.id)
        assert len(entities) > 8
        assert {item.config_subentry_id for item in entities} == {ids[key]}


@pytest.mark.parametrize("family", ["shunt", "virtual"])
async def test_devices_that_have_no_units(
    hass: HomeAssistant, virtual_entry: MockConfigEntry, script: Script, family: str
) -> None:
    """What is only listened to, and the virtual device, offer none."""
    entry = virtual_entry if family == "virtual" else FAMILIES[family].entry()
    if family == "shunt":
        script.device = FAMILIES["shunt"].device()
    await set_up(hass, entry)
    if family == "virtual":
        assert entry.supported_subentry_types == {}
        return
    # Home Assistant asks once: a device that was taken for a shunt may turn out to be another
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "unit"), context={"source": "user"}
    )
    assert result["reason"] == "only_sends"


def test_serial_number_that_several_have_is_none() -> None:
    """Two controllers with the number of the document are two, known by their addresses."""
    units = units_of(FAMILIES["hub"].entry())
    same = [
        Finding(unit_id=unit, profile="controller", model="Rover", serial_number="1501FFFF")
        for unit in (96, 97)
    ]
    assert [finding.unit_id for finding in new_units(units, same)] == [97]
    alone = [replace(same[1], unit_id=17)]
    assert new_units(units, alone) == []
    nameless = [replace(finding, serial_number=None) for finding in same]
    assert [finding.unit_id for finding in new_units(units, nameless)] == [97]


def test_keys_are_never_used_twice() -> None:
    """A battery that took another one's address gets a key of its own."""
    entry = FAMILIES["hub"].entry()
    units = units_of(entry)
    found = [Finding(unit_id=49, profile="battery", serial_number="NEW")]
    assert new_units(units, found) == found
    taken = [subentry.unique_id for subentry in entry.subentries.values()]
    assert [item.unique_id for item in new_subentries([*found, *found], taken)] == ["49_2", "49_3"]


async def test_own_unit_is_never_taken_for_another(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Also after the last step of a recovery, when only the other one answers."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = two_batteries()
    await set_up(hass, entry, stale_checks=1, heartbeat_interval=30)
    both = script.device.devices
    script.error = ErrorCode.CONNECT_TIMEOUT
    await pass_time(hass, freezer, 400)
    script.error = None
    both[0].kind = "srne"
    await pass_time(hass, freezer, 400)
    assert entry.data["unit_id"] == 48
    own, other = entry.runtime_data.only.supervisor.units
    assert (own.unit_id, own.unresponsive) == (48, ErrorCode.MODBUS_EXCEPTION)
    assert other.unresponsive is None


async def test_model_of_a_unit_is_learnt(hass: HomeAssistant, script: Script) -> None:
    """It named none when it was added; from then on it is read as what it says it is."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = BATTERY.entry(
        [{"profile": "battery", "model": None, "unit_id": 49, "serial_number": None}]
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert more_units(entry)[0]["model"] == "SMART"
    assert entry.runtime_data.only.supervisor.units[1].model.key == "SMART"


async def test_units_that_only_moved_are_saved(hass: HomeAssistant, script: Script) -> None:
    """Nothing new, but other addresses."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    await add(hass, await search(hass, entry), "49")
    second = script.device.devices[1]
    second.unit_id = 53
    second.overrides = dict(zip(range(5110, 5118), _text("VIRTUAL-BATT-049"), strict=True))
    result = await search(hass, entry)
    assert result["reason"] == "units_moved"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert more_units(entry)[0]["unit_id"] == 53


async def test_unit_without_a_known_model(
    hass: HomeAssistant, script: Script, device_registry: dr.DeviceRegistry
) -> None:
    """It is read as what all models have in common, and said to be unconfirmed."""
    script.device = bus(("battery", 48), ("battery", 49))
    script.device.devices[1].model = "RBT12100LFP-SHBT"
    entry = BATTERY.entry()
    await set_up(hass, entry)
    result = await search(hass, entry)
    (options,) = [field.config["options"] for field in result["data_schema"].schema.values()]
    assert options[0]["label"] == (
        "49: Battery, RBT12100LFP-SHBT (unconfirmed), serial number VIRTUAL-BATT-049"
    )
    await add(hass, result, "49")
    assert [unit["model"] for unit in more_units(entry)] == ["other"]
    values = entry.runtime_data.only.supervisor.units[1].snapshot.values
    assert values["remaining_capacity"] > 0
    assert not {"battery_current", "battery_power", "cycles", "cell_voltage_alarms"} & set(values)
    models = {
        device.model
        for device in dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    }
    assert "RBT12100LFP-SHBT (unconfirmed)" in models
    assert hass.states.get("sensor.bt_th_6a000035_battery_49_battery_energy_in_estimated") is None


async def test_unit_at_an_address_that_the_user_types(hass: HomeAssistant, script: Script) -> None:
    """No list has it; the search asks it too, and those next to it."""
    script.device = bus(("battery", 48), ("battery", 72), ("battery", 73))
    entry = BATTERY.entry()
    await set_up(hass, entry)
    result = await search(hass, entry)
    (field,) = result["data_schema"].schema.values()
    assert (field.config["min"], field.config["max"]) == (1, 247)
    assert result["errors"] == {"base": "no_more_units"}
    result = await go_on(hass, result, unit_id=72.0)
    await add(hass, result, "72", "73")
    assert [unit["unit_id"] for unit in more_units(entry)] == [72, 73]
    assert script.searches[-1].unit_ids == (72,)


async def test_another_battery_under_the_address_is_noticed(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """After the module did not answer its units may have been plugged in differently."""
    script.device = bus(("battery", 48), ("battery", 49))
    entry = two_batteries()
    await set_up(hass, entry)
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 31)
    script.error = None
    script.device.devices[1].overrides = dict(
        zip(range(5110, 5118), _text("VIRTUAL-BATT-077"), strict=True)
    )
    await pass_time(hass, freezer, 700)
    own, other = entry.runtime_data.only.supervisor.units
    assert own.unresponsive is None
    assert other.unresponsive is ErrorCode.WRONG_UNIT
    assert state(hass, f"{PREFIX}_battery_49_battery_voltage") == "unavailable"
    lines = [line.text for line in entry.runtime_data.only.supervisor.link.log.lines]
    assert lines.count("unit 49 has another serial number now: search for units again") == 1
    script.device.devices[1].overrides = {}
    await pass_time(hass, freezer, 31)
    assert state(hass, f"{PREFIX}_battery_49_battery_voltage") == "13.2"


async def test_reconfigure_on_a_hub(hass: HomeAssistant, script: Script) -> None:
    """Whatever the user says it is: it stays the unit under its address."""
    script.device = bus(("controller", 96), ("battery", 48))
    more = [{"profile": "battery", "model": "SMART", "unit_id": 48, "serial_number": None}]
    entry = FAMILIES["controller"].entry(more)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "unit_id": 96})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    for wanted in ("automatic", "controller:Rover"):
        result = await entry.start_reconfigure_flow(hass)
        result = await hass.config_entries.flow.async_configure(
            result["flow_id"], {"next_step_id": "kind"}
        )
        result = await answer(hass, result, model=wanted)
        assert result["reason"] == "reconfigure_successful"
        await hass.async_block_till_done(wait_background_tasks=True)
        assert (entry.data["profile"], entry.data["unit_id"]) == ("controller", 96)
        assert more_units(entry) == [{"key": "48"} | more[0]]
        assert script.searches == []


async def test_event_entity_is_the_modules(hass: HomeAssistant, script: Script) -> None:
    """The link is the module's; a unit has none of its own."""
    script.device = HUB.device()
    entry = HUB.entry()
    await set_up(hass, entry)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    (event,) = [entity for entity in entities if entity.domain == "event"]
    device = dr.async_get(hass).async_get(event.device_id or "")
    assert device is not None
    assert device.name == "BT-TH-6A000035"


async def test_module_forgets_what_the_device_said(hass: HomeAssistant, script: Script) -> None:
    """With a second unit the entry's device becomes the module: it has no serial number of its own."""
    entry = BATTERY.entry()
    script.device = bus(("battery", 48), ("battery", 49))
    await set_up(hass, entry)
    identifier = (DOMAIN, entry.unique_id)
    registry = dr.async_get(hass)
    before = registry.async_get_device_by_identifier(identifier, entry.entry_id)
    assert before is not None
    assert before.serial_number is not None
    result = await search(hass, entry)
    await add(hass, result, "49")
    module = registry.async_get_device_by_identifier(identifier, entry.entry_id)
    assert module is not None
    assert module.model == "Bluetooth module"
    assert (module.serial_number, module.sw_version, module.hw_version) == (None, None, None)
