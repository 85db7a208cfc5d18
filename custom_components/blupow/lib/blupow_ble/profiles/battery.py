"""Smart LFP batteries. Their scales differ from line to line, and the state of charge is no register.

Sources: the vendor's BMS protocol V1.7; captures of a RBT50LFP48S, a RBT100LFP12-BT, a Pro and a
RBT12500LFP-SHBT. Current is positive when charging.
"""

from typing import Any, Final

from .declaration import (
    ANY_UNKNOWN_FAULT,
    LOW_BYTE,
    Block,
    Computed,
    Counter,
    Fault,
    FaultGroup,
    Field,
    Info,
    Kind,
    Quantity,
    Rule,
    UnitOfMeasurement,
)
from .fields import number
from .profile import OTHER_MODEL, Estimate, Model, Profile

MOST_CELLS: Final = 16

_CELLS: Final = range(1, MOST_CELLS + 1)
_CELL_SUBJECTS: Final = {number - 1: f"cell_{number}_voltage" for number in _CELLS}
_CELL_TEMPERATURE_SUBJECTS: Final = {number - 1: f"cell_{number}_temperature" for number in _CELLS}
_TEMPERATURE_SUBJECTS: Final = {
    15: "bms_temperature",
    14: "environment_1_temperature",
    13: "environment_2_temperature",
    12: "heater_1_temperature",
    11: "heater_2_temperature",
}
_CURRENT_SUBJECTS: Final = {
    10: "charging_current",
    9: "discharging_current",
}
_OTHER_SUBJECTS: Final = _TEMPERATURE_SUBJECTS | _CURRENT_SUBJECTS
STATUS_1_BITS: Final = {
    0: "short_circuit",
    4: "charge_over_current_2",
    5: "discharge_over_current_2",
    6: "module_over_voltage",
    7: "cell_under_voltage",
    8: "cell_over_voltage",
    9: "charge_over_current",
    10: "discharge_over_current",
    11: "discharge_under_temperature",
    12: "discharge_over_temperature",
    13: "charge_under_temperature",
    14: "charge_over_temperature",
    15: "module_under_voltage",
}
# the battery's power in use, and both MOSFETs
QUIET_STATUS_1_BITS: Final = frozenset({1, 2, 3})
STATUS_2_BITS: Final = {
    0: "cell_low_voltage_warning",
    1: "cell_high_voltage_warning",
    2: "module_low_voltage_warning",
    3: "module_high_voltage_warning",
    4: "charge_low_temperature_warning",
    5: "charge_high_temperature_warning",
    6: "discharge_low_temperature_warning",
    7: "discharge_high_temperature_warning",
}
CELL_ERROR_BITS: Final = {number - 1: f"cell_{number}_voltage_error" for number in _CELLS}


def _pairs(subjects: dict[int, str], group: FaultGroup) -> tuple[Fault, ...]:
    return tuple(
        Fault(name=f"{subject}_{ending}", group=group)
        for subject in subjects.values()
        for ending in ("below", "above", "other")
    )


FAULTS: Final = (
    Fault(name="short_circuit", group=FaultGroup.BATTERY),
    *(Fault(name=name, group=FaultGroup.CELLS) for name in CELL_ERROR_BITS.values()),
    Fault(name="cell_over_voltage", group=FaultGroup.CELLS),
    Fault(name="cell_under_voltage", group=FaultGroup.CELLS),
    Fault(name="module_over_voltage", group=FaultGroup.BATTERY),
    Fault(name="module_under_voltage", group=FaultGroup.BATTERY),
    Fault(name="discharge_over_current_2", group=FaultGroup.BATTERY),
    Fault(name="charge_over_current_2", group=FaultGroup.BATTERY),
    Fault(name="discharge_over_current", group=FaultGroup.BATTERY),
    Fault(name="charge_over_current", group=FaultGroup.BATTERY),
    Fault(name="discharge_over_temperature", group=FaultGroup.TEMPERATURE),
    Fault(name="charge_over_temperature", group=FaultGroup.TEMPERATURE),
    Fault(name="discharge_under_temperature", group=FaultGroup.TEMPERATURE),
    Fault(name="charge_under_temperature", group=FaultGroup.TEMPERATURE),
    *_pairs(_CELL_SUBJECTS, FaultGroup.CELLS),
    *_pairs(_CELL_TEMPERATURE_SUBJECTS, FaultGroup.TEMPERATURE),
    *_pairs(_TEMPERATURE_SUBJECTS, FaultGroup.TEMPERATURE),
    *_pairs(_CURRENT_SUBJECTS, FaultGroup.BATTERY),
    Fault(name="cell_high_voltage_warning", group=FaultGroup.CELLS),
    Fault(name="cell_low_voltage_warning", group=FaultGroup.CELLS),
    Fault(name="module_high_voltage_warning", group=FaultGroup.BATTERY),
    Fault(name="module_low_voltage_warning", group=FaultGroup.BATTERY),
    Fault(name="discharge_high_temperature_warning", group=FaultGroup.TEMPERATURE),
    Fault(name="charge_high_temperature_warning", group=FaultGroup.TEMPERATURE),
    Fault(name="discharge_low_temperature_warning", group=FaultGroup.TEMPERATURE),
    Fault(name="charge_low_temperature_warning", group=FaultGroup.TEMPERATURE),
    ANY_UNKNOWN_FAULT,
)

_AMPERES: Final = (-600, 600)
_VOLTS: Final = (0, 80)
_CELL_VOLTS: Final = (0, 5)
_CELSIUS: Final = (-50, 120)
_CAPACITY: Final = (0, 2_000)

BLOCKS: Final = (
    Block(key="pack", start=5042, words=6, required=True),
    Block(key="cells", start=5000, words=34),
    Block(key="temperatures", start=5035, words=7),
    Block(key="limits", start=5048, words=5),
    Block(key="status", start=5100, words=10),
    Block(key="model", start=5122, words=8, identity=True),
    Block(key="serial", start=5110, words=12, identity=True),
    Block(key="version", start=5130, words=2, identity=True),
    Block(key="unit_id", start=5223, words=1, identity=True),
)


_CURRENT: Final = (
    "vendor's BMS protocol V1.7",
    "capture: -2.01 A",
    "another project's tests: -0.86 A",
)


def _temperature(
    key: str, register: int, present_count: tuple[int, int] | None = None, **more: Any
) -> Field:
    return number(
        key,
        register,
        UnitOfMeasurement.CELSIUS,
        _CELSIUS,
        0.1,
        signed=True,
        evidence=("other projects' readers of the same registers",),
        present_count=present_count,
        optional=True,
        **more,
    )


FIELDS: Final = (
    number(
        "battery_current",
        5042,
        UnitOfMeasurement.AMPERE,
        _AMPERES,
        0.01,
        signed=True,
        evidence=_CURRENT,
    ),
    number("battery_voltage", 5043, UnitOfMeasurement.VOLT, _VOLTS, 0.1),
    number("remaining_capacity", 5044, UnitOfMeasurement.AMPERE_HOUR, _CAPACITY, 0.001, words=2),
    number("total_capacity", 5046, UnitOfMeasurement.AMPERE_HOUR, _CAPACITY, 0.001, words=2),
    Field(key="cycles", register=5048, counter=Counter.EVENTS, optional=True),
    number(
        "charge_voltage_limit",
        5049,
        UnitOfMeasurement.VOLT,
        _VOLTS,
        0.1,
        optional=True,
        advanced=True,
    ),
    number(
        "discharge_voltage_limit",
        5050,
        UnitOfMeasurement.VOLT,
        _VOLTS,
        0.1,
        optional=True,
        advanced=True,
    ),
    number(
        "charge_current_limit",
        5051,
        UnitOfMeasurement.AMPERE,
        _AMPERES,
        0.01,
        optional=True,
        advanced=True,
    ),
    number(
        "discharge_current_limit",
        5052,
        UnitOfMeasurement.AMPERE,
        _AMPERES,
        0.01,
        signed=True,
        evidence=("vendor's BMS protocol V1.7", "an owner's reading: -100 A"),
        optional=True,
        advanced=True,
    ),
    Field(key="cells", register=5000, valid=(1, MOST_CELLS), optional=True, setting=True),
    *(
        number(
            f"cell_{cell}_voltage",
            5000 + cell,
            UnitOfMeasurement.VOLT,
            _CELL_VOLTS,
            0.1,
            fine_scale=0.001,
            present_count=(5000, cell),
            optional=True,
            advanced=True,
            cell=cell,
        )
        for cell in _CELLS
    ),
    *(
        _temperature(
            f"cell_{cell}_temperature", 5017 + cell, (5017, cell), advanced=True, cell=cell
        )
        for cell in _CELLS
    ),
    _temperature("bms_temperature", 5035),
    _temperature("environment_1_temperature", 5037, (5036, 1), advanced=True),
    _temperature("environment_2_temperature", 5038, (5036, 2), advanced=True),
    _temperature("heater_1_temperature", 5040, (5039, 1), advanced=True),
    _temperature("heater_2_temperature", 5041, (5039, 2), advanced=True),
    Field(
        key="cell_voltage_alarms",
        register=5100,
        words=2,
        kind=Kind.PAIRS,
        names=_CELL_SUBJECTS,
        optional=True,
    ),
    Field(
        key="cell_temperature_alarms",
        register=5102,
        words=2,
        kind=Kind.PAIRS,
        names=_CELL_TEMPERATURE_SUBJECTS,
        optional=True,
    ),
    Field(
        key="other_alarms",
        register=5104,
        words=2,
        kind=Kind.PAIRS,
        names=_OTHER_SUBJECTS,
        optional=True,
    ),
    Field(
        key="faults",
        register=5106,
        kind=Kind.BITS,
        names=STATUS_1_BITS,
        quiet=QUIET_STATUS_1_BITS,
        optional=True,
    ),
    # its high byte tells states, and bit 9 was set on a healthy battery (captured)
    Field(
        key="warnings",
        register=5107,
        kind=Kind.BITS,
        bits=LOW_BYTE,
        names=STATUS_2_BITS,
        optional=True,
    ),
    Field(key="cell_errors", register=5108, kind=Kind.BITS, names=CELL_ERROR_BITS, optional=True),
    Field(key="charge_mosfet", register=5106, kind=Kind.FLAG, bits=(1, 1), optional=True),
    Field(key="discharge_mosfet", register=5106, kind=Kind.FLAG, bits=(2, 1), optional=True),
    Field(
        key="heater",
        register=5107,
        kind=Kind.FLAG,
        bits=(13, 1),
        optional=True,
        quantity=Quantity.RUNNING,
    ),
    Field(key="fully_charged", register=5107, kind=Kind.FLAG, bits=(11, 1), optional=True),
    Field(key="charge_enabled", register=5109, kind=Kind.FLAG, bits=(7, 1), optional=True),
    Field(key="discharge_enabled", register=5109, kind=Kind.FLAG, bits=(6, 1), optional=True),
    Field(
        key="charge_request",
        register=5109,
        kind=Kind.FLAG,
        bits=(5, 1),
        optional=True,
        advanced=True,
    ),
    Field(key="full_charge_request", register=5109, kind=Kind.FLAG, bits=(3, 1), optional=True),
    Field(key="device_id", register=5223, valid=(1, 247), setting=True),
    Field(key="model", register=5122, words=8, kind=Kind.TEXT, info=Info.MODEL),
    Field(
        key="serial_number",
        register=5110,
        words=8,
        kind=Kind.TEXT,
        info=Info.SERIAL_NUMBER,
        optional=True,
    ),
    Field(
        key="version",
        register=5130,
        words=2,
        kind=Kind.TEXT,
        info=Info.VERSION,
        optional=True,
    ),
)

_TENTHS_OF_AMPERES: Final = number(
    "battery_current",
    5042,
    UnitOfMeasurement.AMPERE,
    _AMPERES,
    0.1,
    signed=True,
    evidence=("capture of a Pro: -1.2 A", "another project's reader"),
)

CLASSIC: Final = Model(
    key="SMART",
    matches=("SMART", "RBT50LFP", "RBT100LFP", "RBT170LFP", "RBT200LFP"),
    devices="RBT50LFP48S, RBT100LFP12S(H), RBT100LFP12-BT, RBT200LFP12-BT",
    source="vendor's BMS protocol V1.7; captures of a RBT50LFP48S and a RBT100LFP12-BT",
)

PRO: Final = Model(
    key="PRO",
    matches=("PRO", "RBT12100LFP-BT", "RBT12200LFP-BT"),
    name_prefixes=("RNGRBP",),
    devices="Core and Pro with Bluetooth built in: RBT12100LFP-BT, RBT12200LFP-BT",
    source="captures of a Pro battery",
    fields=(_TENTHS_OF_AMPERES,),
)

RNGC: Final = Model(
    key="RNGC",
    matches=("RNGC",),
    name_prefixes=("RNGC",),
    devices="batteries whose name begins with RNGC",
    source="owners' reports",
    # an owner's cycles arrived with their bytes exchanged
    without_fields=frozenset({"cycles"}),
    fields=(_TENTHS_OF_AMPERES,),
)

RNGPRO: Final = Model(
    key="RNGPRO",
    matches=("RNGPRO", "RBT12500LFP"),
    name_prefixes=("RNGPRO",),
    devices="RBT12500LFP-SHBT and others whose name begins with RNGPRO",
    source="captures of a RBT12500LFP-SHBT",
    # four healthy cells were reported as above their limit (captured)
    without_fields=frozenset({"cell_voltage_alarms"}),
)

OTHER: Final = Model(
    key=OTHER_MODEL,
    matches=("OTHER",),
    devices="another Smart battery",
    source="what the known models have in common; unconfirmed",
    # in hundredths or tenths of amperes; with bytes exchanged; set on healthy cells
    without_fields=frozenset({"battery_current", "cycles", "cell_voltage_alarms"}),
)

BATTERY: Final = Profile(
    key="battery",
    name="Battery",
    units=(255, *range(48, 56), 247, *range(33, 41)),
    name_prefixes=("RNGRBP", "RNGC", "RNGPRO", "RNGUSBAT"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(CLASSIC, PRO, RNGC, RNGPRO, OTHER),
    computed=(
        Computed(
            key="battery_percentage",
            rule=Rule.PERCENTAGE,
            of=("remaining_capacity", "total_capacity"),
            unit_of_measurement=UnitOfMeasurement.PERCENT,
            scale=0.1,
            valid=(0, 110),
            quantity=Quantity.BATTERY_LEVEL,
        ),
        Computed(
            key="battery_power",
            rule=Rule.PRODUCT,
            of=("battery_voltage", "battery_current"),
            unit_of_measurement=UnitOfMeasurement.WATT,
            scale=0.1,
            valid=(-40_000, 40_000),
        ),
    ),
    faults=FAULTS,
    estimates=(
        Estimate(key="battery_energy_in", power="battery_power", direction=1),
        Estimate(key="battery_energy_out", power="battery_power", direction=-1),
    ),
)
