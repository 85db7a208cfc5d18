"""DC-DC chargers: the alternator's side is kept apart from the solar one.

Sources: the vendor's register sheet (RBC50D1S-G1), its protocol of 2025 for registers 0x0124-0x0126,
readings of RBC30D1S-G1 and RBC50D1S-G7, a capture of a RBC2125DS-21W. Register 0x0109 is documented
as solar power, but holds the total: with the alternator alone it shows the alternator's power.
"""

from typing import Final

from .charger import (
    AMPERES,
    COUNTS,
    DAY_SPANS,
    IDENTITY_FIELDS,
    SETTINGS,
    battery_fields,
    extremes_today,
)
from .charger_settings import DCDC_CONTROLS
from .declaration import (
    ANY_UNKNOWN_FAULT,
    LOW_BYTE,
    Block,
    Computed,
    Counter,
    Fault,
    FaultGroup,
    Field,
    Kind,
    Quantity,
    Rule,
    UnitOfMeasurement,
)
from .fields import counter, number, ring_of_days
from .profile import History, Model, Profile

CHARGING_STATUS: Final = {
    0: "off",
    2: "mppt",
    3: "equalizing",
    4: "boost",
    5: "float",
    6: "current_limiting",
    8: "alternator_direct",
}

MODE: Final = {
    0: "standby",
    1: "alternator_to_house",
    2: "house_to_starter",
    3: "solar_to_house",
    4: "solar_and_alternator_to_house",
    5: "solar_to_starter",
}

FAULTS: Final = (
    Fault(name="starter_battery_reversed", group=FaultGroup.ALTERNATOR),
    Fault(name="solar_reversed", group=FaultGroup.SOLAR),
    Fault(name="bms_over_charge_protection", group=FaultGroup.BATTERY),
    Fault(name="battery_over_discharged", group=FaultGroup.BATTERY),
    Fault(name="battery_over_voltage", group=FaultGroup.BATTERY),
    Fault(name="alternator_over_voltage", group=FaultGroup.ALTERNATOR),
    Fault(name="alternator_over_current", group=FaultGroup.ALTERNATOR),
    Fault(name="solar_over_voltage", group=FaultGroup.SOLAR),
    Fault(name="solar_input_too_high", group=FaultGroup.SOLAR),
    Fault(name="controller_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="controller_over_temperature_2", group=FaultGroup.DEVICE),
    Fault(name="battery_over_temperature", group=FaultGroup.BATTERY),
    Fault(name="charge_stopped_by_low_temperature", group=FaultGroup.BATTERY),
    Fault(name="battery_under_voltage_warning", group=FaultGroup.BATTERY),
    Fault(name="fan_fault", group=FaultGroup.DEVICE),
    ANY_UNKNOWN_FAULT,
)
FAULT_BITS: Final = {
    4: "controller_over_temperature_2",
    5: "alternator_over_current",
    8: "alternator_over_voltage",
    9: "starter_battery_reversed",
    10: "bms_over_charge_protection",
    11: "charge_stopped_by_low_temperature",
}
MORE_FAULT_BITS: Final = {
    0: "battery_over_discharged",
    1: "battery_over_voltage",
    2: "battery_under_voltage_warning",
    5: "controller_over_temperature",
    6: "battery_over_temperature",
    7: "solar_input_too_high",
    8: "fan_fault",
    9: "solar_over_voltage",
    12: "solar_reversed",
}

_VOLTS: Final = (0, 60)
_WATTS: Final = (0, 5_000)
_CELSIUS: Final = (-50, 120)
_MOST_WATTS: Final = 5_000.0
_MOST_AMPERES: Final = 200.0
_DOCUMENT: Final = ("vendor's register sheet",)

BLOCKS: Final = (
    # RBC50D1S-G6 answers 34 words from here, but never a read that begins at 0x0120.
    Block(key="live", start=0x0100, words=34, required=True),
    Block(key="output", start=0x0122, words=5),
    Block(key="settings", start=0xE002, words=19),
    Block(key="reverse_charging", start=0xE01E, words=3),
    Block(key="solar_cut_off", start=0xE038, words=1),
    Block(key="model", start=0x000C, words=8, identity=True),
    Block(key="rating", start=0x000A, words=2, identity=True),
    Block(key="version", start=0x0014, words=7, identity=True),
)

FIELDS: Final = (
    *battery_fields(_VOLTS, _CELSIUS, _DOCUMENT),
    number("alternator_voltage", 0x0104, UnitOfMeasurement.VOLT, _VOLTS, 0.1),
    number("alternator_current", 0x0105, UnitOfMeasurement.AMPERE, AMPERES, 0.01),
    number("alternator_power", 0x0106, UnitOfMeasurement.WATT, _WATTS),
    number("solar_voltage", 0x0107, UnitOfMeasurement.VOLT, _VOLTS, 0.1),
    number("solar_current", 0x0108, UnitOfMeasurement.AMPERE, AMPERES, 0.01),
    number("total_charging_power", 0x0109, UnitOfMeasurement.WATT, _WATTS),
    *extremes_today(_VOLTS, _WATTS),
    counter("charged_today", 0x0111, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR, _MOST_AMPERES),
    counter(
        "charged_energy_today", 0x0113, Counter.DAILY, UnitOfMeasurement.WATT_HOUR, _MOST_WATTS
    ),
    *COUNTS,
    counter(
        "charged_total",
        0x0118,
        Counter.TOTAL,
        UnitOfMeasurement.AMPERE_HOUR,
        _MOST_AMPERES,
        words=2,
        evidence=_DOCUMENT,
    ),
    counter(
        "charged_energy_total",
        0x011C,
        Counter.TOTAL,
        UnitOfMeasurement.WATT_HOUR,
        _MOST_WATTS,
        words=2,
        evidence=_DOCUMENT,
    ),
    Field(
        key="charging_status",
        register=0x0120,
        bits=LOW_BYTE,
        kind=Kind.ENUM,
        names=CHARGING_STATUS,
    ),
    Field(key="faults", register=0x0121, kind=Kind.BITS, names=FAULT_BITS),
    Field(
        key="more_faults",
        register=0x0122,
        kind=Kind.BITS,
        names=MORE_FAULT_BITS,
        optional=True,
    ),
    number("output_power", 0x0124, UnitOfMeasurement.WATT, _WATTS, optional=True),
    Field(key="mode", register=0x0125, kind=Kind.ENUM, names=MODE, optional=True),
    Field(
        key="ignition",
        register=0x0126,
        kind=Kind.FLAG,
        bits=(0, 1),
        optional=True,
        quantity=Quantity.POWERED,
    ),
    *SETTINGS,
    number(
        "reverse_charging_voltage",
        0xE020,
        UnitOfMeasurement.VOLT,
        (0, 20),
        0.1,
        optional=True,
        setting=True,
        advanced=True,
    ),
    number(
        "solar_cut_off_current",
        0xE038,
        UnitOfMeasurement.AMPERE,
        (0, 60),
        0.01,
        optional=True,
        setting=True,
        advanced=True,
    ),
    *IDENTITY_FIELDS,
)


HISTORY: Final = History(
    first_day=0,
    days=8,
    spans=DAY_SPANS,
    fields=(
        ring_of_days("minimum_battery_voltage", 0, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        ring_of_days("maximum_battery_voltage", 1, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        ring_of_days("maximum_charging_current", 2, UnitOfMeasurement.AMPERE, AMPERES[1], 0.01),
        ring_of_days("maximum_charging_power", 4, UnitOfMeasurement.WATT, _WATTS[1]),
        ring_of_days("charged", 6, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True),
        ring_of_days(
            "charged_energy", 8, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True
        ),
    ),
)

RBC: Final = Model(
    key="RBC",
    matches=("RBC", "DCC", "RNG-DCC"),
    devices="DCC30S, DCC50S (RBC30D1S, RBC50D1S-G1 to G7), RBC2125DS, REGO RBC1260DO",
    source="vendor's register sheet; capture of a RBC2125DS-21W, readings of RBC30D1S-G1 and RBC50D1S-G7",
)

DCDC: Final = Profile(
    key="dcdc",
    name="DC-DC charger",
    units=(255, 1, 16, 96),
    name_prefixes=("RNGRBC", "RBC"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(RBC,),
    computed=(
        Computed(
            key="solar_power",
            rule=Rule.PRODUCT,
            of=("solar_voltage", "solar_current"),
            unit_of_measurement=UnitOfMeasurement.WATT,
            scale=1,
            valid=_WATTS,
        ),
    ),
    faults=FAULTS,
    history=HISTORY,
    controls=DCDC_CONTROLS,
)
