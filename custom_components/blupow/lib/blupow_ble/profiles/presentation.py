"""How what a profile declares is shown: device class, unit, state class, precision, category.

Classes and units are spelled as Home Assistant spells them; its entities and the discovery messages of a
bridge are both made of this.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .declaration import (
    Computed,
    Counter,
    FaultGroup,
    Field,
    Info,
    Kind,
    Quantity,
    UnitOfMeasurement,
    Value,
    digits,
)
from .profile import Estimate, Profile, RegisterMap
from .setting import Setting

NONE: Final = "none"
"""The state of what there is nothing of: no fault, no problem."""
WORST_FAULT: Final = "worst_fault"
ANY_FAULT: Final = "fault"
"""The key of what tells of any fault at all."""

ENUM: Final = "enum"
PROBLEM: Final = "problem"
MEASUREMENT: Final = "measurement"
TOTAL_INCREASING: Final = "total_increasing"

DEVICE_CLASSES: Final = {
    UnitOfMeasurement.VOLT: "voltage",
    UnitOfMeasurement.AMPERE: "current",
    UnitOfMeasurement.WATT: "power",
    UnitOfMeasurement.VOLT_AMPERE: "apparent_power",
    UnitOfMeasurement.HERTZ: "frequency",
    UnitOfMeasurement.CELSIUS: "temperature",
    UnitOfMeasurement.WATT_HOUR: "energy",
    UnitOfMeasurement.KILOWATT_HOUR: "energy",
    UnitOfMeasurement.SECOND: "duration",
    UnitOfMeasurement.MINUTE: "duration",
    UnitOfMeasurement.HOUR: "duration",
    UnitOfMeasurement.DAY: "duration",
}
SETTING_CLASSES: Final = frozenset({"voltage", "current", "duration"})
QUANTITIES: Final = {Quantity.BATTERY_LEVEL: "battery"}
FLAG_CLASSES: Final = {Quantity.RUNNING: "running", Quantity.POWERED: "power"}
LIST_KINDS: Final = frozenset({Kind.CODES, Kind.BITS, Kind.PAIRS})
"""Faults and alarms: shown by their groups and the worst of them."""
ON_THE_DEVICE_PAGE: Final = frozenset({Info.SERIAL_NUMBER, Info.VERSION, Info.HARDWARE_VERSION})
KILO: Final = 3
"""Digits that a value has more when it is shown in thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How one value is shown."""

    key: str
    text_key: str
    """What its name is found by: cells share one name, which holds their number."""
    device_class: str | None = None
    unit_of_measurement: str | None = None
    shown_in: str | None = None
    """The unit that it is shown in, if that is not its own."""
    state_class: str | None = None
    precision: int | None = None
    """Digits behind the decimal point."""
    options: tuple[str, ...] | None = None
    """All states that it can have."""
    diagnostic: bool = False
    enabled: bool = True
    """Whether it is shown unless the user asks for it."""


BANK_PREFIX: Final = "bank_"
BANK: Final = (
    Presentation(
        key="bank_percentage",
        text_key="bank_percentage",
        device_class="battery",
        unit_of_measurement=UnitOfMeasurement.PERCENT.value,
        state_class=MEASUREMENT,
        precision=1,
    ),
    Presentation(
        key="bank_remaining_capacity",
        text_key="bank_remaining_capacity",
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR.value,
        state_class=MEASUREMENT,
        precision=1,
    ),
    Presentation(
        key="bank_current",
        text_key="bank_current",
        device_class="current",
        unit_of_measurement=UnitOfMeasurement.AMPERE.value,
        state_class=MEASUREMENT,
        precision=2,
    ),
    Presentation(
        key="bank_power",
        text_key="bank_power",
        device_class="power",
        unit_of_measurement=UnitOfMeasurement.WATT.value,
        state_class=MEASUREMENT,
        precision=0,
    ),
)
"""What several batteries amount to; the keys less their prefix are the fields of a bank."""


def sensors_of(register_map: RegisterMap) -> Iterator[Field | Computed]:
    """Go through what becomes a sensor of a unit."""
    for field in register_map.fields:
        if field.info not in ON_THE_DEVICE_PAGE and field.kind not in (Kind.FLAG, *LIST_KINDS):
            yield field
    yield from register_map.computed


def flags_of(register_map: RegisterMap) -> Iterator[Field]:
    """Go through what is on or off."""
    return (field for field in register_map.fields if field.kind is Kind.FLAG)


def groups_of(profile: Profile) -> list[FaultGroup | None]:
    """Return the groups of faults that a family may report; None is that of all of them."""
    groups = dict.fromkeys(fault.group for fault in profile.faults)
    return [None, *groups] if groups else []


def of_field(field: Field, value: Value | None = None) -> Presentation:
    """Return how a field is shown; a value tells how finely the device measures."""
    diagnostic = field.setting or field.info is not None
    if field.kind is Kind.ENUM:
        return Presentation(
            key=field.key,
            text_key=field.key,
            device_class=ENUM,
            options=tuple(dict.fromkeys(field.names.values())),
            diagnostic=diagnostic,
            enabled=not field.advanced,
        )
    unit = field.unit_of_measurement
    if unit is None:
        return Presentation(
            key=field.key,
            text_key=field.key,
            state_class=TOTAL_INCREASING if field.counter else None,
            diagnostic=diagnostic,
            enabled=not field.advanced,
        )
    shown_in = _shown_in(unit, field.counter)
    return Presentation(
        key=field.key,
        text_key=field.key
        if field.cell is None
        else field.key.replace(f"cell_{field.cell}_", "cell_"),
        device_class=_device_class(field, unit),
        unit_of_measurement=unit.value,
        shown_in=shown_in,
        state_class=_state_class(field),
        precision=field.digits_of(value) + (KILO if shown_in else 0),
        diagnostic=diagnostic,
        enabled=not field.advanced,
    )


def of_computed(computed: Computed) -> Presentation:
    """Return how a value that follows from others is shown."""
    return Presentation(
        key=computed.key,
        text_key=computed.key,
        device_class=_device_class(computed, computed.unit_of_measurement),
        unit_of_measurement=computed.unit_of_measurement.value,
        state_class=MEASUREMENT,
        precision=digits(computed.scale),
    )


def of_estimate(estimate: Estimate) -> Presentation:
    """Return how an energy that is integrated is shown."""
    return Presentation(
        key=estimate.key,
        text_key=estimate.key,
        device_class="energy",
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR.value,
        shown_in=UnitOfMeasurement.KILOWATT_HOUR.value,
        state_class=TOTAL_INCREASING,
        precision=2,
    )


def of_worst_fault(profile: Profile) -> Presentation:
    """Return how the worst fault is shown."""
    return Presentation(
        key=WORST_FAULT,
        text_key=WORST_FAULT,
        device_class=ENUM,
        options=(NONE, *dict.fromkeys(fault.state for fault in profile.faults)),
        diagnostic=True,
    )


def of_flag(field: Field) -> Presentation:
    """Return how a flag is shown."""
    return Presentation(
        key=field.key,
        text_key=field.key,
        device_class=FLAG_CLASSES.get(field.quantity) if field.quantity else None,
        enabled=not field.advanced,
    )


def of_group(group: FaultGroup | None) -> Presentation:
    """Return how it is shown whether there is a fault of a group; None is any fault at all."""
    key = ANY_FAULT if group is None else group.value
    return Presentation(key=key, text_key=key, device_class=PROBLEM, diagnostic=True)


def setting_class(setting: Setting) -> str | None:
    """Return the device class of a setting that is a number."""
    unit = setting.unit_of_measurement
    found = DEVICE_CLASSES.get(unit) if unit else None
    return found if found in SETTING_CLASSES else None


def _device_class(item: Field | Computed, unit: UnitOfMeasurement) -> str | None:
    if item.quantity is not None:
        return QUANTITIES.get(item.quantity)
    return DEVICE_CLASSES.get(unit)


def _state_class(field: Field) -> str | None:
    """Return what statistics are kept of a field's numbers: of a setting none, as it stays as it is."""
    if field.counter:
        return TOTAL_INCREASING
    return None if field.setting else MEASUREMENT


def _shown_in(unit: UnitOfMeasurement, counter: Counter | None) -> str | None:
    """Return the unit that a value is shown in, if it is not its own: a life's energy is long in Wh."""
    if unit is UnitOfMeasurement.WATT_HOUR and counter is Counter.TOTAL:
        return UnitOfMeasurement.KILOWATT_HOUR.value
    return None
