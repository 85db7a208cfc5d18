"""Which of the units that were found are known."""

from custom_components.blupow.lib.blupow_ble.profiles import PROFILES
from custom_components.blupow.lib.blupow_ble.reader.plan import OWN_UNIT
from custom_components.blupow.lib.blupow_ble.reader.result import Finding
from custom_components.blupow.lib.blupow_ble.supervisor.unit_matching import (
    DEVICE_ID,
    moved_units,
    new_units,
)
from custom_components.blupow.lib.blupow_ble.supervisor.unit_state import UnitState

BATTERY = PROFILES["battery"]


def unit(unit_id: int, key: str = OWN_UNIT, number: str | None = None) -> UnitState:
    """Return a battery that is set up."""
    return UnitState(
        key=key, profile=BATTERY, model=None, unit_id=unit_id, set_up_serial_number=number
    )


def found(unit_id: int, number: str | None = None, profile: str = "battery") -> Finding:
    """Return a unit that answers."""
    return Finding(unit_id=unit_id, profile=profile, serial_number=number)


def test_serial_number_identifies_a_unit_that_has_moved() -> None:
    """Whatever unit ID it answers by."""
    units = [unit(48, number="A"), unit(49, "49", "B")]
    findings = [found(49, "A"), found(48, "B"), found(50, "C")]
    assert moved_units(units, findings) == {OWN_UNIT: 49, "49": 48}
    assert new_units(units, findings) == [found(50, "C")]


def test_serial_number_that_several_have_identifies_none() -> None:
    """Some devices all have the same one: then the unit ID decides."""
    units = [unit(48, number="SAME"), unit(49, "49", "SAME")]
    assert new_units(units, [found(50, "SAME")]) == [found(50, "SAME")]
    assert moved_units(units, [found(49, "SAME"), found(48, "SAME")]) == {"49": 49, OWN_UNIT: 48}


def test_unit_that_is_asked_by_another_number_than_its_own() -> None:
    """As 255: it says by which unit ID it can be found."""
    own = unit(255)
    own.identity[DEVICE_ID] = 48
    assert new_units([own], [found(48)]) == []
    assert new_units([own], [found(49)]) == [found(49)]
    assert new_units([own], [found(48, profile="controller")]) == [found(48, profile="controller")]


def test_serial_number_that_several_answer_with_identifies_none() -> None:
    """The one that is known stays itself by its unit ID; the other is new."""
    units = [unit(48, number="SAME")]
    assert new_units(units, [found(48, "SAME"), found(49, "SAME")]) == [found(49, "SAME")]
