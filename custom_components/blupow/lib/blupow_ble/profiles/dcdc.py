"""DC-DC chargers: the alternator's side is kept apart from the solar one.

Sources: the vendor's register sheet (RBC50D1S-G1), its protocol of 2025 for registers 0x0124-0x0126,
readings of RBC30D1S-G1 and RBC50D1S-G7, a capture of a RBC2125DS-21W. Register 0x0109 is documented
as solar power, but holds the total: with the alternator alone it shows the alternator's power.
"""

from typing import Final

from .controller import IDENTITY_FIELDS, SETTINGS
from .declaration import (
    ANY_UNKNOWN_FAULT,
    HIGH_BYTE,
    LOW_BYTE,
    Block,
    Computed,
    Counter,
    Fault,
    FaultGroup,
    Field,
    History,
    HistoryField,
    Kind,
    Model,
    Profile,
    Rule,
    Span,
    UnitOfMeasurement,
)

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
_AMPERES: Final = (0, 200)
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
    Field(
        key="battery_percentage",
        register=0x0100,
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=(0, 100),
    ),
    Field(
        key="battery_voltage",
        register=0x0101,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="charging_current",
        register=0x0102,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    Field(
        key="temperature",
        register=0x0103,
        bits=HIGH_BYTE,
        sign_magnitude=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=_DOCUMENT,
    ),
    Field(
        key="battery_temperature",
        register=0x0103,
        bits=LOW_BYTE,
        sign_magnitude=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=_DOCUMENT,
    ),
    Field(
        key="alternator_voltage",
        register=0x0104,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="alternator_current",
        register=0x0105,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    Field(
        key="alternator_power",
        register=0x0106,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
    ),
    Field(
        key="solar_voltage",
        register=0x0107,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="solar_current",
        register=0x0108,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    Field(
        key="total_charging_power",
        register=0x0109,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
    ),
    Field(
        key="minimum_battery_voltage_today",
        register=0x010B,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="maximum_battery_voltage_today",
        register=0x010C,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="maximum_charging_current_today",
        register=0x010D,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    Field(
        key="maximum_charging_power_today",
        register=0x010F,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
    ),
    Field(
        key="charged_today",
        register=0x0111,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_AMPERES,
    ),
    Field(
        key="charged_energy_today",
        register=0x0113,
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_WATTS,
    ),
    Field(
        key="operating_days",
        register=0x0115,
        unit_of_measurement=UnitOfMeasurement.DAY,
        valid=(0, 20 * 366),
        counter=Counter.EVENTS,
    ),
    Field(key="over_discharges", register=0x0116, counter=Counter.EVENTS),
    Field(key="full_charges", register=0x0117, counter=Counter.EVENTS),
    Field(
        key="charged_total",
        register=0x0118,
        words=2,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.TOTAL,
        evidence=_DOCUMENT,
        per_hour=_MOST_AMPERES,
    ),
    Field(
        key="charged_energy_total",
        register=0x011C,
        words=2,
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR,
        counter=Counter.TOTAL,
        evidence=_DOCUMENT,
        per_hour=_MOST_WATTS,
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
    Field(
        key="output_power",
        register=0x0124,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
        optional=True,
    ),
    Field(key="mode", register=0x0125, kind=Kind.ENUM, names=MODE, optional=True),
    Field(key="ignition", register=0x0126, kind=Kind.FLAG, bits=(0, 1), optional=True),
    *SETTINGS,
    Field(
        key="reverse_charging_voltage",
        register=0xE020,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=(0, 20),
        optional=True,
    ),
    Field(
        key="solar_cut_off_current",
        register=0xE038,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=(0, 60),
        optional=True,
    ),
    *IDENTITY_FIELDS,
)


def _day(
    key: str,
    word: int,
    unit: UnitOfMeasurement,
    most: float,
    scale: float = 1,
    *,
    summed: bool = False,
) -> HistoryField:
    return HistoryField(
        key=key,
        span=0xF000,
        span_step=1,
        word=word,
        scale=scale,
        unit_of_measurement=unit,
        most=most,
        summed=summed,
    )


HISTORY: Final = History(
    first_day=0,
    days=8,
    spans=tuple(Span(start=0xF000 + day, words=10) for day in range(8)),
    fields=(
        _day("minimum_battery_voltage", 0, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        _day("maximum_battery_voltage", 1, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        _day("maximum_charging_current", 2, UnitOfMeasurement.AMPERE, _AMPERES[1], 0.01),
        _day("maximum_charging_power", 4, UnitOfMeasurement.WATT, _WATTS[1]),
        _day("charged", 6, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True),
        _day("charged_energy", 8, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True),
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
)
