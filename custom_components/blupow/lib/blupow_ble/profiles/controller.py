"""Solar charge controllers: Rover, Wanderer, Adventurer and their kin, which share one map.

Sources: the vendor's ROVER register document and controller protocol V1.7; captures of a Rover 40.
Of fault bits 17 and 18 the documents print both meanings: the table of the ROVER document and the
vendor's app agree, and are followed.
"""

from collections.abc import Mapping
from typing import Final

from .declaration import (
    ANY_UNKNOWN_FAULT,
    HIGH_BYTE,
    LOW_BYTE,
    Block,
    Counter,
    Fault,
    FaultGroup,
    Field,
    History,
    HistoryField,
    Info,
    Kind,
    Model,
    Profile,
    Span,
    UnitOfMeasurement,
)

CHARGING_STATUS: Final = {
    0: "off",
    1: "activated",
    2: "mppt",
    3: "equalizing",
    4: "boost",
    5: "float",
    6: "current_limiting",
}

BATTERY_TYPE: Final = {0: "user", 1: "flooded", 2: "sealed", 3: "gel", 4: "lithium"}
"""What all models have in common."""
ROVER_BATTERY_TYPE: Final = BATTERY_TYPE | {5: "user_locked"}
BOOST_BATTERY_TYPE: Final = BATTERY_TYPE | {5: "lithium_36_v", 6: "lithium_48_v"}

SYSTEM_VOLTAGE: Final = {
    12: "12_v",
    24: "24_v",
    36: "36_v",
    48: "48_v",
    96: "96_v",
    255: "automatic",
}

LOAD_MODE: Final = {
    0: "light_control",
    **{hours: f"on_for_{hours}_hours" for hours in range(1, 15)},
    15: "manual",
    16: "test",
    17: "always_on",
}

FAULTS: Final = (
    Fault(name="charge_mosfet_short_circuit", group=FaultGroup.DEVICE),
    Fault(name="anti_reverse_mosfet_short_circuit", group=FaultGroup.DEVICE),
    Fault(name="solar_reversed", group=FaultGroup.SOLAR),
    Fault(name="solar_short_circuit", group=FaultGroup.SOLAR),
    Fault(name="load_short_circuit", group=FaultGroup.LOAD),
    Fault(name="battery_over_discharged", group=FaultGroup.BATTERY),
    Fault(name="battery_over_voltage", group=FaultGroup.BATTERY),
    Fault(name="solar_input_over_voltage", group=FaultGroup.SOLAR),
    Fault(name="solar_working_point_over_voltage", group=FaultGroup.SOLAR),
    Fault(name="solar_counter_current", group=FaultGroup.SOLAR),
    Fault(name="solar_over_power", group=FaultGroup.SOLAR),
    Fault(name="controller_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="ambient_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="fan_fault", group=FaultGroup.DEVICE),
    Fault(name="load_over_power", group=FaultGroup.LOAD),
    Fault(name="battery_under_voltage_warning", group=FaultGroup.BATTERY),
    ANY_UNKNOWN_FAULT,
)
# register 0x0121 holds bits 16-31 of the documents
FAULT_BITS: Final = {
    0: "battery_over_discharged",
    1: "battery_over_voltage",
    2: "battery_under_voltage_warning",
    3: "load_short_circuit",
    4: "load_over_power",
    5: "controller_over_temperature",
    6: "ambient_over_temperature",
    7: "solar_over_power",
    8: "solar_short_circuit",
    9: "solar_input_over_voltage",
    10: "solar_counter_current",
    11: "solar_working_point_over_voltage",
    12: "solar_reversed",
    13: "anti_reverse_mosfet_short_circuit",
    14: "charge_mosfet_short_circuit",
    15: "fan_fault",
}

_VOLTS: Final = (0, 80)
_SOLAR_VOLTS: Final = (0, 300)
_AMPERES: Final = (0, 200)
_WATTS: Final = (0, 10_000)
_CELSIUS: Final = (-50, 120)
_MOST_WATTS: Final = 10_000.0
_MOST_AMPERES: Final = 200.0
_HEAT: Final = ("ROVER document and protocol V1.7", "an owner's report of frost")
_CHARGED: Final = ("ROVER document", "capture of a Rover 40: 4988 Ah")
_ENERGY: Final = (
    "ROVER document",
    "capture of a Rover 40: 65936 Wh",
    "reading of a WND10: 426038 Wh",
)
_DOCUMENT: Final = ("ROVER document and protocol V1.7",)

BLOCKS: Final = (
    Block(key="live", start=0x0100, words=34, required=True),
    Block(key="settings", start=0xE002, words=19),
    Block(key="load_mode", start=0xE01D, words=1),
    Block(key="model", start=0x000C, words=8, identity=True),
    Block(key="rating", start=0x000A, words=2, identity=True),
    Block(key="version", start=0x0014, words=7, identity=True),
)

IDENTITY_FIELDS: Final = (
    Field(key="device_id", register=0x001A, bits=LOW_BYTE, valid=(1, 247)),
    Field(key="model", register=0x000C, words=8, kind=Kind.TEXT, info=Info.MODEL),
    Field(
        key="version",
        register=0x0014,
        words=2,
        kind=Kind.VERSION,
        info=Info.VERSION,
        optional=True,
    ),
    Field(
        key="hardware_version",
        register=0x0016,
        words=2,
        kind=Kind.VERSION,
        info=Info.HARDWARE_VERSION,
        optional=True,
    ),
    Field(
        key="serial_number",
        register=0x0018,
        words=2,
        kind=Kind.HEX,
        info=Info.SERIAL_NUMBER,
        optional=True,
    ),
    Field(
        key="maximum_system_voltage",
        register=0x000A,
        bits=HIGH_BYTE,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=(12, 96),
        optional=True,
    ),
    Field(
        key="rated_charging_current",
        register=0x000A,
        bits=LOW_BYTE,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
        optional=True,
    ),
)


def _setting(
    key: str, register: int, unit: UnitOfMeasurement | None, most: float, scale: float = 1
) -> Field:
    return Field(
        key=key,
        register=register,
        scale=scale,
        unit_of_measurement=unit,
        valid=(0, most),
        optional=True,
    )


def _battery_type(names: Mapping[int, str]) -> Field:
    return Field(key="battery_type", register=0xE004, kind=Kind.ENUM, names=names, optional=True)


# Voltages are those of a 12 V battery: a 24 V system has twice as much.
SETTINGS: Final = (
    _setting("battery_capacity", 0xE002, UnitOfMeasurement.AMPERE_HOUR, 65_535),
    Field(
        key="system_voltage_setting",
        register=0xE003,
        bits=HIGH_BYTE,
        kind=Kind.ENUM,
        names=SYSTEM_VOLTAGE,
        optional=True,
    ),
    _battery_type(BATTERY_TYPE),
    _setting("over_voltage_threshold", 0xE005, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("charging_limit_voltage", 0xE006, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("equalization_voltage", 0xE007, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("boost_voltage", 0xE008, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("float_voltage", 0xE009, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("boost_recovery_voltage", 0xE00A, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("over_discharge_recovery_voltage", 0xE00B, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("under_voltage_warning_level", 0xE00C, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("over_discharge_voltage", 0xE00D, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("discharge_limit_voltage", 0xE00E, UnitOfMeasurement.VOLT, 20, 0.1),
    _setting("over_discharge_delay", 0xE010, UnitOfMeasurement.SECOND, 600),
    _setting("equalization_time", 0xE011, UnitOfMeasurement.MINUTE, 600),
    _setting("boost_time", 0xE012, UnitOfMeasurement.MINUTE, 600),
    _setting("equalization_interval", 0xE013, UnitOfMeasurement.DAY, 255),
    _setting("temperature_compensation", 0xE014, None, 10),
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
    # sign and magnitude: two's complement would show -1 as -127 (an owner's report)
    Field(
        key="temperature",
        register=0x0103,
        bits=HIGH_BYTE,
        sign_magnitude=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=_HEAT,
    ),
    Field(
        key="battery_temperature",
        register=0x0103,
        bits=LOW_BYTE,
        sign_magnitude=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=_HEAT,
    ),
    Field(
        key="load_voltage",
        register=0x0104,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_VOLTS,
    ),
    Field(
        key="load_current",
        register=0x0105,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    Field(
        key="load_power", register=0x0106, unit_of_measurement=UnitOfMeasurement.WATT, valid=_WATTS
    ),
    Field(
        key="solar_voltage",
        register=0x0107,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_SOLAR_VOLTS,
    ),
    Field(
        key="solar_current",
        register=0x0108,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AMPERES,
    ),
    # documented as charging power; what real ones send is the product of voltage and current above
    Field(
        key="solar_power", register=0x0109, unit_of_measurement=UnitOfMeasurement.WATT, valid=_WATTS
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
        key="maximum_discharging_current_today",
        register=0x010E,
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
        key="maximum_discharging_power_today",
        register=0x0110,
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
        key="discharged_today",
        register=0x0112,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_AMPERES,
    ),
    Field(
        key="solar_energy_today",
        register=0x0113,
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_WATTS,
    ),
    Field(
        key="load_energy_today",
        register=0x0114,
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
        evidence=_CHARGED,
        per_hour=_MOST_AMPERES,
    ),
    Field(
        key="discharged_total",
        register=0x011A,
        words=2,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.TOTAL,
        evidence=_DOCUMENT,
        per_hour=_MOST_AMPERES,
    ),
    Field(
        key="solar_energy_total",
        register=0x011C,
        words=2,
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR,
        counter=Counter.TOTAL,
        evidence=_ENERGY,
        per_hour=_MOST_WATTS,
    ),
    Field(
        key="load_energy_total",
        register=0x011E,
        words=2,
        unit_of_measurement=UnitOfMeasurement.WATT_HOUR,
        counter=Counter.TOTAL,
        evidence=_DOCUMENT,
        per_hour=_MOST_WATTS,
    ),
    Field(key="load", register=0x0120, kind=Kind.FLAG, bits=(15, 1)),
    Field(
        key="load_brightness",
        register=0x0120,
        bits=(8, 7),
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=(0, 100),
    ),
    Field(
        key="charging_status",
        register=0x0120,
        bits=LOW_BYTE,
        kind=Kind.ENUM,
        names=CHARGING_STATUS,
    ),
    Field(key="faults", register=0x0121, kind=Kind.BITS, names=FAULT_BITS),
    *SETTINGS,
    Field(
        key="end_of_charge_percentage",
        register=0xE00F,
        bits=HIGH_BYTE,
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=(0, 100),
        optional=True,
    ),
    Field(
        key="end_of_discharge_percentage",
        register=0xE00F,
        bits=LOW_BYTE,
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=(0, 100),
        optional=True,
    ),
    Field(
        key="load_mode",
        register=0xE01D,
        kind=Kind.ENUM,
        names=LOAD_MODE,
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


# ROVER 3.2: block F000H + n is the day n days ago, of ten words.
HISTORY: Final = History(
    first_day=0,
    days=8,
    spans=tuple(Span(start=0xF000 + day, words=10) for day in range(8)),
    fields=(
        _day("minimum_battery_voltage", 0, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        _day("maximum_battery_voltage", 1, UnitOfMeasurement.VOLT, _VOLTS[1], 0.1),
        _day("maximum_charging_current", 2, UnitOfMeasurement.AMPERE, _AMPERES[1], 0.01),
        _day("maximum_discharging_current", 3, UnitOfMeasurement.AMPERE, _AMPERES[1], 0.01),
        _day("maximum_charging_power", 4, UnitOfMeasurement.WATT, _WATTS[1]),
        _day("maximum_discharging_power", 5, UnitOfMeasurement.WATT, _WATTS[1]),
        _day("charged", 6, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True),
        _day("discharged", 7, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True),
        _day("solar_energy", 8, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True),
        _day("load_energy", 9, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True),
    ),
)

ROVER: Final = Model(
    key="Rover",
    matches=("ROVER", "RNG-CTRL", "RCC", "ML", "WND", "ADV"),
    devices="Rover, Rover Elite, Wanderer, Adventurer; Rich Solar and SRNE ML",
    source="vendor's ROVER document and protocol V1.7; captures of a Rover 40",
    fields=(_battery_type(ROVER_BATTERY_TYPE),),
)

ROVER_BOOST: Final = Model(
    key="RCC10RVRB",
    matches=("RCC10RVRB",),
    devices="Rover Boost RCC10RVRB",
    source="another project's table of battery types",
    fields=(_battery_type(BOOST_BATTERY_TYPE),),
)

CONTROLLER: Final = Profile(
    key="controller",
    name="Charge controller",
    units=(255, 1, 16, 17, 96, 97),
    name_prefixes=("RNG-CTRL", "RCC"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(ROVER, ROVER_BOOST),
    faults=FAULTS,
    history=HISTORY,
)
