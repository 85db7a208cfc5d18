"""Set-up, reconfigure and options, as a user goes through them."""

import asyncio
import logging
from typing import Any, override
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.device_flow import normalized
from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.protocol.modbus import ReadRequest
from custom_components.blupow.lib.blupow_ble.reader.route import RouteKind
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice, virtual_device
from homeassistant.config_entries import SOURCE_BLUETOOTH, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script, ScriptedReader
from .helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME
from .helpers.timeline import set_up

DATA = {
    "address": INVERTER_ADDRESS,
    "name": INVERTER_NAME,
    "profile": "inverter",
    "model": "RIV1230RCH",
    "unit_id": 32,
}


async def begin(hass: HomeAssistant, step: str) -> dict[str, Any]:
    """Go through the menu to a step."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == ["pick", "address", "bridge", "virtual"]
    return await hass.config_entries.flow.async_configure(result["flow_id"], {"next_step_id": step})


async def discovery(hass: HomeAssistant) -> dict[str, Any]:
    """Return the flow that Home Assistant began by itself."""
    while not (flows := hass.config_entries.flow.async_progress_by_handler(DOMAIN)):
        await asyncio.sleep(0)
        await hass.async_block_till_done(wait_background_tasks=True)
    (flow,) = flows
    return flow


async def discovered(hass: HomeAssistant) -> dict[str, Any]:
    """Return the form of the flow that Home Assistant began by itself."""
    flow = await discovery(hass)
    return await hass.config_entries.flow.async_configure(flow["flow_id"])


async def kind_form(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return the form that says what the device is."""
    result = await entry.start_reconfigure_flow(hass)
    assert result["menu_options"] == ["kind", "new_address"]
    return await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": "kind"}
    )


async def answer(hass: HomeAssistant, result: dict[str, Any], **user_input: Any) -> dict[str, Any]:
    """Answer a form, and wait for what takes its time."""
    result = await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    return await settled(hass, result)


async def settled(hass: HomeAssistant, result: dict[str, Any]) -> dict[str, Any]:
    """Wait until a flow has gone on from what takes its time."""
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done(wait_background_tasks=True)
        result = await hass.config_entries.flow.async_configure(result["flow_id"])
    return result


@pytest.mark.usefixtures("heard")
async def test_request_does_not_wait_for_the_device(hass: HomeAssistant, script: Script) -> None:
    """A proxy in front of Home Assistant cuts one after a minute: the progress is shown meanwhile."""
    result = await discovered(hass)
    script.gate.clear()
    async with asyncio.timeout(10):
        result = await hass.config_entries.flow.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert (result["step_id"], result["progress_action"]) == ("progress", "read_device")
    assert result["description_placeholders"]["name"] == INVERTER_NAME
    script.gate.set()
    assert (await settled(hass, result))["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("heard")
async def test_discovered(hass: HomeAssistant, script: Script) -> None:
    """A discovered inverter is read once, then set up."""
    result = await discovered(hass)
    assert result["step_id"] == "bluetooth_confirm"
    assert result["description_placeholders"] == {
        "name": INVERTER_NAME,
        "address": INVERTER_ADDRESS,
        "detail": "",
    }
    result = await answer(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == INVERTER_NAME
    assert result["data"] == DATA
    assert result["result"].unique_id == INVERTER_ADDRESS
    assert script.plans[0].units[0].unit_id is None
    assert script.plans[0].units[0].blocks is None


async def test_discovered_by_advertisement(hass: HomeAssistant, heard: None) -> None:
    """The manifest's matchers find it: the flow is there without anybody starting it."""
    flow = await discovery(hass)
    assert flow["context"]["unique_id"] == INVERTER_ADDRESS
    assert flow["context"]["title_placeholders"] == {"name": INVERTER_NAME}


@pytest.mark.parametrize("name", ["RNGSHUNT500", "BTRX1", "Kitchen"])
async def test_discovered_other_device(hass: HomeAssistant, name: str) -> None:
    """Another product is not offered."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=service_info(name)
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "not_supported"


@pytest.mark.usefixtures("enable_bluetooth", "no_bluez")
async def test_hostile_name(
    hass: HomeAssistant, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Anybody can advertise any name: it forges no line, colors no terminal and makes no link."""
    hear(hass, service_info(name="BTRIC1\n2026 ERROR \x1b[31m![x](http://a)<b>\u202e"))
    flow = await discovery(hass)
    name = flow["context"]["title_placeholders"]["name"]
    assert name.isprintable()
    form = await discovered(hass)
    assert "](" not in form["description_placeholders"]["name"]
    result = await answer(hass, await discovered(hass))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == name
    entry = result["result"]
    await hass.async_block_till_done(wait_background_tasks=True)
    script.error = ErrorCode.NO_RESPONSE
    caplog.set_level(logging.INFO, "custom_components.blupow")
    caplog.clear()
    await entry.runtime_data.only.async_refresh()
    lines = [record.getMessage() for record in caplog.records if "blupow" in record.name]
    assert lines
    assert all(line.isprintable() for line in lines)


async def test_discovered_twice(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """One that is set up already is not offered."""
    entry.add_to_hass(hass)
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=service_info()
    )
    assert result["reason"] == "already_configured"


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("code", list(ErrorCode))
async def test_device_that_cannot_be_read(
    hass: HomeAssistant, script: Script, code: ErrorCode
) -> None:
    """The reason is reported by its code and no entry is made; when it can be read, it goes on."""
    script.error = code
    result = await discovered(hass)
    result = await answer(hass, result)
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"base": code.value}
    assert not hass.config_entries.async_entries(DOMAIN)
    script.error = None
    result = await answer(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("heard")
async def test_pick(hass: HomeAssistant) -> None:
    """The devices that are heard are offered by name."""
    result = await begin(hass, "pick")
    options = result["data_schema"].schema["address"].config["options"]
    assert options == [
        {"value": INVERTER_ADDRESS, "label": f"{INVERTER_NAME} ({INVERTER_ADDRESS})"}
    ]
    result = await answer(hass, result, address=INVERTER_ADDRESS)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == DATA


@pytest.mark.usefixtures("heard")
async def test_pick_fails_and_recovers(hass: HomeAssistant, script: Script) -> None:
    """The reason is shown; the same form goes on."""
    script.error = ErrorCode.NO_RESPONSE
    result = await answer(hass, await begin(hass, "pick"), address=INVERTER_ADDRESS)
    assert result["errors"] == {"base": "no_response"}
    script.error = None
    result = await answer(hass, result, address=INVERTER_ADDRESS)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("heard")
async def test_pick_something_that_is_gone(hass: HomeAssistant) -> None:
    """A device that is no longer heard is reported at its field."""
    other = service_info("BTRIC134000099", "C4:D3:6A:00:00:99")
    with patch(
        "custom_components.blupow.config_flow.async_discovered_service_info",
        return_value=[service_info(), other],
    ):
        result = await begin(hass, "pick")
    result = await answer(hass, result, address=other.address)
    assert result["errors"] == {"address": "not_heard_any_more"}


@pytest.mark.usefixtures("enable_bluetooth")
async def test_pick_without_any(hass: HomeAssistant) -> None:
    """Nothing heard is an answer, not an empty list."""
    result = await begin(hass, "pick")
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "no_devices_found"


@pytest.mark.usefixtures("heard")
async def test_address(hass: HomeAssistant) -> None:
    """An address in any usual form; the name is the one that is heard."""
    result = await begin(hass, "address")
    result = await answer(hass, result, address=INVERTER_ADDRESS.lower().replace(":", "-"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == DATA


@pytest.mark.usefixtures("heard")
async def test_address_that_is_none(hass: HomeAssistant) -> None:
    """Told at its field, with the input kept; then the right one goes through."""
    result = await answer(hass, await begin(hass, "address"), address="my inverter")
    assert result["errors"] == {"address": "invalid_address"}
    (field,) = result["data_schema"].schema
    assert field.description == {"suggested_value": "my inverter"}
    result = await answer(hass, result, address=INVERTER_ADDRESS)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("enable_bluetooth")
async def test_address_that_is_not_heard(hass: HomeAssistant) -> None:
    """No connection is attempted."""
    with patch("custom_components.blupow.bluetooth.route.bluez.release", return_value=[]):
        result = await answer(hass, await begin(hass, "address"), address="C4:D3:6A:00:00:77")
    assert result["errors"] == {"base": "not_advertising"}


@pytest.mark.usefixtures("heard")
async def test_address_that_is_set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Not a second time, whichever way it is written."""
    entry.add_to_hass(hass)
    result = await begin(hass, "address")
    result = await answer(hass, result, address=INVERTER_ADDRESS.lower())
    assert result["reason"] == "already_configured"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" c4d36a000035 ", INVERTER_ADDRESS),
        ("C4-D3-6A-00-00-35", INVERTER_ADDRESS),
        ("c4.d3.6a.00.00.35", INVERTER_ADDRESS),
        ("C4:D3:6A:00:00", None),
        ("C4:D3:6A:00:00:3G", None),
        ("C4:D3:6A:00:00:35:77", None),
        ("", None),
    ],
)
def test_forms_of_an_address(text: str, address: str | None) -> None:
    """Six pairs of digits, however they are separated."""
    assert normalized(text) == address


@pytest.mark.parametrize("family", list(PROFILES))
async def test_virtual(hass: HomeAssistant, script: Script, family: str) -> None:
    """Needs no Bluetooth, says in its name what it is, and can be added once."""
    script.device = virtual_device(family, lambda: NOW)
    result = await begin(hass, "virtual")
    (field,) = result["data_schema"].schema
    assert field.description == {"suggested_value": "inverter"}
    script.error = ErrorCode.READER_CRASHED
    result = await answer(hass, result, profile=family)
    assert result["errors"] == {"base": "reader_crashed"}
    script.error = None
    result = await answer(hass, result, profile=family)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == f"Virtual {PROFILES[family].name} (test mode)"
    assert result["data"]["profile"] == family
    assert script.routes[-1].kind is RouteKind.VIRTUAL
    result = await answer(hass, await begin(hass, "virtual"), profile=family)
    assert result["reason"] == "already_configured"


@pytest.mark.usefixtures("enable_bluetooth")
@pytest.mark.parametrize("family", list(FAMILIES))
async def test_every_family_is_discovered_and_set_up(
    hass: HomeAssistant, script: Script, family: str
) -> None:
    """By its name, else by asking: what is behind a module is found out by reads alone."""
    device = FAMILIES[family]
    script.device = device.device()
    hear(hass, service_info(device.name))
    result = await answer(hass, await discovery(hass))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    wanted = {key: device.data[key] for key in ("profile", "model", "unit_id")}
    assert result["data"] == {"address": INVERTER_ADDRESS, "name": device.name} | wanted
    assert bool(script.searches) is device.name.startswith("BT-TH-")


@pytest.mark.usefixtures("enable_bluetooth")
async def test_what_nothing_recognizes_is_asked_for(hass: HomeAssistant, script: Script) -> None:
    """The user says what is behind the module; it is read as that before an entry is made."""
    script.error = ErrorCode.NO_RESPONSE
    hear(hass, service_info("BT-TH-6A000035"))
    result = await answer(hass, await discovery(hass))
    assert result["step_id"] == "family"
    assert result["description_placeholders"]["name"] == "BT-TH-6A000035"
    result = await answer(hass, result, profile="controller")
    assert result["errors"] == {"base": "no_response"}
    script.error = None
    script.device = virtual_device("controller", lambda: NOW)
    result = await answer(hass, result, profile="controller")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["profile"] == "controller"


@pytest.mark.usefixtures("heard")
async def test_reconfigure(hass: HomeAssistant, entry: MockConfigEntry, script: Script) -> None:
    """The user overrules family and model; the device is read as that first."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await kind_form(hass, entry)
    (field,) = result["data_schema"].schema
    assert field.description == {"suggested_value": "inverter:RIV1230RCH"}
    script.error = ErrorCode.CONNECT_TIMEOUT
    result = await answer(hass, result, model="inverter:RIV4835CSH1S")
    assert result["errors"] == {"base": "connect_timeout"}
    assert entry.data["model"] == "RIV1230RCH"
    script.error = None
    result = await answer(hass, result, model="inverter:RIV4835CSH1S")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["model"] == "RIV4835CSH1S"
    assert entry.runtime_data.only.supervisor.own.model.key == "RIV4835CSH1S"


@pytest.mark.usefixtures("heard")
async def test_reconfigure_to_another_family(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """What was taken for an inverter is a controller."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    script.device = virtual_device("controller", lambda: NOW)
    result = await answer(hass, await kind_form(hass, entry), model="controller:Rover")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (entry.data["profile"], entry.data["model"]) == ("controller", "Rover")
    assert entry.data["unit_id"] == 1
    assert entry.runtime_data.only.supervisor.own.value("load_voltage") > 12


@pytest.mark.usefixtures("heard", "no_bluez")
async def test_entities_of_the_former_model(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """What the other model does not have goes; what both have stays, with what the user has set."""
    await set_up(hass, entry)
    registry = er.async_get(hass)
    kept, gone = (f"sensor.btric134000035_{key}" for key in ("model", "battery_voltage"))
    registry.async_update_entity(kept, name="House inverter")
    assert registry.async_get(gone) is not None
    script.device = VirtualDevice(model="RIV1230PCH", clock=lambda: NOW)
    result = await answer(hass, await kind_form(hass, entry), model="inverter:RIV1230PCH")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert registry.async_get(gone) is None
    assert registry.async_get(kept).name == "House inverter"
    left = [
        state.entity_id for state in hass.states.async_all() if state.attributes.get("restored")
    ]
    assert left == []


@pytest.mark.usefixtures("heard")
async def test_reconfigure_to_automatic(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Automatic takes the model that the device names."""
    script.device = VirtualDevice(model="RIV4835CSH1S", clock=lambda: NOW)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await kind_form(hass, entry)
    result = await answer(hass, result, model="automatic")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["model"] == "RIV4835CSH1S"


@pytest.mark.usefixtures("heard")
async def test_reconfigure_a_virtual_device(
    hass: HomeAssistant, virtual_entry: MockConfigEntry, script: Script
) -> None:
    """There is nothing behind it to look for."""
    await set_up(hass, virtual_entry)
    result = await virtual_entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "kind"
    result = await answer(hass, result, model="automatic")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert virtual_entry.data["model"] == "RIV1230RCH"


class Nameless(VirtualDevice):
    """An inverter that never answers for its model, as one RIV4835 was seen to do."""

    @override
    def answer(self, request: bytes) -> bytes | None:
        refused = ReadRequest(32, 1, 1).encode()
        return super().answer(refused if request[2:4] == b"\x10\xd7" else request)


@pytest.mark.usefixtures("heard")
async def test_model_is_asked_for(hass: HomeAssistant, script: Script) -> None:
    """Registers are never taken for another model's: who knows the model is asked."""
    script.device = Nameless(clock=lambda: NOW)
    result = await answer(hass, await discovered(hass))
    assert result["step_id"] == "model"
    assert result["description_placeholders"]["name"] == INVERTER_NAME
    script.error = ErrorCode.NO_RESPONSE
    result = await answer(hass, result, model="RIV4835CSH1S")
    assert result["errors"] == {"base": "no_response"}
    script.error = None
    result = await answer(hass, result, model="RIV4835CSH1S")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == DATA | {"model": "RIV4835CSH1S"}


@pytest.mark.usefixtures("heard")
async def test_reconfigure_keeps_a_model_that_is_not_told(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Automatic does not forget the model of a device that does not name it; options are kept to."""
    script.device = Nameless(clock=lambda: NOW)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, options={"connect_timeout": 50, "route": "in_process"}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await answer(hass, await kind_form(hass, entry), model="automatic")
    assert result["errors"] == {"model": "model_not_told"}
    assert entry.data["model"] == "RIV1230RCH"
    assert script.plans[-1].connect_timeout == 50
    assert script.routes[-1].kind is RouteKind.IN_PROCESS


@pytest.mark.usefixtures("heard")
async def test_path_over_a_proxy(hass: HomeAssistant, script: Script) -> None:
    """A device that Home Assistant hears by something else than BlueZ is read in-process."""
    assert ScriptedReader.script is script
    with patch("custom_components.blupow.bluetooth.route.bluez.available", return_value=False):
        result = await discovered(hass)
        result = await answer(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert script.routes[0].kind is RouteKind.IN_PROCESS
