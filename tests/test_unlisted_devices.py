"""Devices in no list: another model of a family, no name in the air, numbers and bits without a name."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.diagnostics import async_get_config_entry_diagnostics
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from homeassistant.config_entries import SOURCE_BLUETOOTH
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script
from .helpers.simulated import INVERTER_ADDRESS
from .helpers.timeline import set_up, state
from .test_config_flow import answer, begin, discovered, kind_form

PRO_ADDRESS = "4C:E1:74:68:36:92"
PREFIX = "btric134000035"


def options_of(result: dict[str, Any]) -> dict[str, str]:
    """Return the choices of a form with a single field, by their value."""
    (field,) = result["data_schema"].schema.values()
    return {option["value"]: option["label"] for option in field.config["options"]}


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("model", ["RINVTPGH110111S", "RIV1220PU", "RIV1230PU", "RIV1230RCL"])
async def test_model_in_no_list(
    hass: HomeAssistant, script: Script, device_registry: dr.DeviceRegistry, model: str
) -> None:
    """The user need not lie: what all models have in common is read, and said to be unconfirmed."""
    script.device = VirtualDevice(model=model, clock=lambda: NOW)
    result = await answer(hass, await discovered(hass))
    assert result["step_id"] == "model"
    assert options_of(result)["other"] == (
        "Another model (unconfirmed: only what all known models have in common)"
    )
    result = await answer(hass, result, model="other")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["model"] == "other"
    await hass.async_block_till_done(wait_background_tasks=True)
    entry = result["result"]
    values = entry.runtime_data.only.supervisor.own.snapshot.values
    assert values["output_voltage"] > 0
    assert "charging_current" not in values  # its sign differs between the models
    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert device.model == f"{model} (unconfirmed)"


@pytest.mark.usefixtures("heard")
async def test_another_model_by_reconfigure(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Also later, where another model was chosen for want of it."""
    await set_up(hass, entry)
    form = await kind_form(hass, entry)
    assert {"inverter:other", "battery:other"} <= set(options_of(form))
    result = await answer(hass, form, model="inverter:other")
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["model"] == "other"
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.usefixtures("enable_bluetooth")
@pytest.mark.parametrize("name", ["RNGUSBAT12100123", "rngusbat12100123"])
async def test_battery_with_a_usb_port(hass: HomeAssistant, name: str) -> None:
    """Its name tells the family, and not how its current is scaled."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=service_info(name)
    )
    assert result["step_id"] == "bluetooth_confirm"


@pytest.mark.usefixtures("enable_bluetooth")
@pytest.mark.parametrize(("name", "called"), [(PRO_ADDRESS, "Renogy 3692"), ("Boat", "Boat")])
async def test_discovered_by_its_manufacturer_data(
    hass: HomeAssistant, script: Script, name: str, called: str
) -> None:
    """A Pro battery whose name is not heard, or was changed, sends its own address."""
    script.device = FAMILIES["battery"].device()
    hear(hass, service_info(name, PRO_ADDRESS, path="/org/bluez/hci0/dev_4C_E1_74_68_36_92"))
    result = await discovered(hass)
    assert result["description_placeholders"]["name"] == called
    result = await answer(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (result["title"], result["data"]["profile"]) == (called, "battery")


@pytest.mark.parametrize(
    ("address", "data"),
    [
        (PRO_ADDRESS, {0xE14C: bytes.fromhex("74683693")}),
        ("C4:E1:74:68:36:92", {0xE14C: bytes.fromhex("74683692")}),
        (PRO_ADDRESS, {}),
    ],
)
async def test_others_of_that_manufacturer_id(
    hass: HomeAssistant, address: str, data: dict[int, bytes]
) -> None:
    """The id alone tells nothing: it is a part of an address."""
    info = service_info("Scale", address)
    info.manufacturer_data = data
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_BLUETOOTH}, data=info
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_supported")


@pytest.mark.usefixtures("enable_bluetooth")
@pytest.mark.parametrize("family", ["inverter", "controller", "dcdc", "battery", "srne", "shunt"])
async def test_address_of_a_device_without_a_name(
    hass: HomeAssistant, script: Script, family: str
) -> None:
    """Where scans are passive no name is heard; every family can be set up by its address."""
    script.device = FAMILIES[family].device()
    hear(hass, service_info(INVERTER_ADDRESS))
    result = await answer(hass, await begin(hass, "address"), address=INVERTER_ADDRESS)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Renogy 0035"
    for key, value in FAMILIES[family].data.items():
        assert result["data"][key] == value


@pytest.mark.usefixtures("heard")
async def test_number_without_a_name(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """The state is unknown; the number is reported in an attribute, and counted for a report."""
    script.device.overrides = {4405: 9}
    await set_up(hass, entry)
    shown = hass.states.get(f"sensor.{PREFIX}_machine_state")
    assert shown is not None
    assert shown.state == "unknown"
    assert shown.attributes["unrecognized"] == "unknown (9)"
    script.device.overrides = {}
    await entry.runtime_data.only.async_refresh()
    await hass.async_block_till_done(wait_background_tasks=True)
    shown = hass.states.get(f"sensor.{PREFIX}_machine_state")
    assert shown is not None
    assert shown.state == "inverter_operation"
    assert "unrecognized" not in shown.attributes
    (unit,) = (await async_get_config_entry_diagnostics(hass, entry))["units"]
    assert unit["unrecognized"] == {"machine_state: unknown (9)": 1}


@pytest.mark.usefixtures("heard")
async def test_bit_and_code_without_a_name(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """They are faults of the device, named by their place."""
    script.device.overrides = {4007: 1 << 3, 4398: 77}
    await set_up(hass, entry)
    for key in ("fault", "device_fault"):
        shown = hass.states.get(f"binary_sensor.{PREFIX}_{key}")
        assert shown is not None
        assert shown.state == "on"
        assert shown.attributes["active"] == ["unknown (4007, 3)", "unknown (77)"]
    assert state(hass, f"binary_sensor.{PREFIX}_battery_fault") == "off"
    assert state(hass, f"sensor.{PREFIX}_worst_fault") == "unknown_fault"
    (unit,) = (await async_get_config_entry_diagnostics(hass, entry))["units"]
    assert unit["unrecognized"] == {
        "status_alarms: unknown (4007, 3)": 1,
        "faults: unknown (77)": 1,
    }
