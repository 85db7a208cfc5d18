"""Alarms of single battery cells: one state for a kind, with the numbers of the cells."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.core import HomeAssistant

from .helpers.bluetooth import hear, service_info
from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up

CELL_FAULT = "binary_sensor.bt_th_6a000035_cell_fault"
WORST = "sensor.bt_th_6a000035_worst_fault"


@pytest.mark.usefixtures("heard")
async def test_cells_with_an_alarm(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Two bits for each cell: 01 is low, 10 is high."""
    battery = FAMILIES["battery"]
    script.device = battery.device()
    hear(hass, service_info(battery.name))
    await set_up(hass, battery.entry())
    script.device.overrides = {5101: 0b01 << 4 | 0b01 << 12 | 0b10 << 2}
    await pass_time(hass, freezer, 31)
    fault, worst = hass.states.get(CELL_FAULT), hass.states.get(WORST)
    assert fault is not None
    assert fault.state == "on"
    assert fault.attributes["active"] == ["cell_voltage_above", "cell_voltage_below"]
    assert fault.attributes["cells"] == [2, 3, 7]
    assert worst is not None
    assert worst.state == "cell_voltage_above"
    assert worst.attributes["cells"] == [2]
    script.device.overrides = {}
    await pass_time(hass, freezer, 31)
    fault, worst = hass.states.get(CELL_FAULT), hass.states.get(WORST)
    assert fault is not None
    assert fault.state == "off"
    assert "cells" not in fault.attributes
    assert worst is not None
    assert worst.state == "none"
    assert "cells" not in worst.attributes
