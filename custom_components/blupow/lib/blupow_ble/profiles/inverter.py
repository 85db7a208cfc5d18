"""Inverters and inverter chargers: REGO RIV1230RCH as the base, others as they differ.

Sources: the vendor's inverter protocol V1.8 (registers 4000-4615), readings and captures of a
RIV1230RCH-SPS and a RIV4835CSH1S, for RIV1230PCH one contributor's map, and for the maker's own map
the SRNE protocols V1.7 to V2.08 and the log of a SMX-II.
"""

from typing import Final

from .declaration import (
    ANY_UNKNOWN_FAULT,
    LOW_BYTE,
    NO_VALUE,
    OTHER_MODEL,
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
    WordOrder,
)

CHARGING_STATUS: Final = {
    0: "off",
    1: "constant_current",
    2: "constant_voltage",
    4: "float",
    6: "battery_activation",
    7: "battery_disconnecting",
}

MACHINE_STATE: Final = {
    0: "power_on_delay",
    1: "waiting",
    2: "initialising",
    3: "soft_start",
    4: "mains_operation",
    5: "inverter_operation",
    6: "inverter_to_mains",
    7: "mains_to_inverter",
    8: "hybrid_operation",
    10: "shutdown",
    11: "fault",
    12: "load_sense",
}

FAULT_CODES: Final = {
    1: "battery_under_voltage",
    2: "battery_discharge_over_current",
    3: "battery_not_connected",
    4: "battery_under_voltage_stop",
    5: "battery_over_current",
    6: "charge_over_voltage",
    7: "bus_over_voltage_hardware",
    8: "bus_over_voltage_software",
    9: "solar_over_voltage",
    10: "buck_over_current_software",
    11: "buck_over_current_hardware",
    12: "mains_lost",
    13: "bypass_overload",
    14: "inverter_overload",
    15: "inverter_over_current_hardware",
    16: "inverter_over_current_software",
    17: "inverter_short_circuit",
    18: "mains_charge_over_current",
    19: "buck_heatsink_over_temperature",
    20: "inverter_heatsink_over_temperature",
    21: "fan_fault",
    22: "memory_fault",
    23: "model_setting_fault",
    24: "command_off",
    25: "bus_short_circuit",
    26: "relay_short_circuit",
    27: "mains_charge_board_over_temperature",
    28: "ac_input_output_reversed",
    29: "bus_under_voltage",
    30: "battery_capacity_below_10",
    31: "battery_capacity_below_5",
    32: "battery_low_power_shutdown",
}
# Of register 4007 what is a fault: whether mains are there, the beeper or a test under way are none.
STATUS_BITS: Final = {
    4: "battery_bad",
    5: "short_circuit",
    6: "overload",
    7: "fan_locked",
    12: "ups_failed",
    14: "battery_low",
    21: "output_over_voltage",
    22: "output_under_voltage",
    23: "output_short_circuit",
    24: "over_temperature",
    25: "ground_fault",
    26: "bus_over_voltage",
    27: "dc_converter_over_current",
    28: "dc_converter_overload",
    29: "output_over_power",
    30: "input_over_voltage",
    31: "input_under_voltage",
}
# the beeper, shutdown, a test, the topology, voltage regulation, lost mains, sleep (V1.8)
QUIET_STATUS_BITS: Final = frozenset({8, 9, 10, 11, 13, 15, 20})

FAULTS: Final = (
    Fault(name="bus_short_circuit", group=FaultGroup.DEVICE),
    Fault(name="inverter_short_circuit", group=FaultGroup.LOAD),
    Fault(name="output_short_circuit", group=FaultGroup.LOAD),
    Fault(name="short_circuit", group=FaultGroup.LOAD),
    Fault(name="relay_short_circuit", group=FaultGroup.DEVICE),
    Fault(name="ac_input_output_reversed", group=FaultGroup.DEVICE),
    Fault(name="ground_fault", group=FaultGroup.DEVICE),
    Fault(name="bus_over_voltage_hardware", group=FaultGroup.DEVICE),
    Fault(name="bus_over_voltage_software", group=FaultGroup.DEVICE),
    Fault(name="bus_over_voltage", group=FaultGroup.DEVICE),
    Fault(name="inverter_over_current_hardware", group=FaultGroup.LOAD),
    Fault(name="inverter_over_current_software", group=FaultGroup.LOAD),
    Fault(name="buck_over_current_hardware", group=FaultGroup.SOLAR),
    Fault(name="buck_over_current_software", group=FaultGroup.SOLAR),
    Fault(name="dc_converter_over_current", group=FaultGroup.DEVICE),
    Fault(name="mains_charge_over_current", group=FaultGroup.MAINS),
    Fault(name="battery_not_connected", group=FaultGroup.BATTERY),
    Fault(name="battery_bad", group=FaultGroup.BATTERY),
    Fault(name="charge_over_voltage", group=FaultGroup.BATTERY),
    Fault(name="battery_over_current", group=FaultGroup.BATTERY),
    Fault(name="battery_discharge_over_current", group=FaultGroup.BATTERY),
    Fault(name="inverter_heatsink_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="buck_heatsink_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="mains_charge_board_over_temperature", group=FaultGroup.DEVICE),
    Fault(name="over_temperature", group=FaultGroup.DEVICE),
    Fault(name="battery_low_power_shutdown", group=FaultGroup.BATTERY),
    Fault(name="battery_under_voltage_stop", group=FaultGroup.BATTERY),
    Fault(name="battery_under_voltage", group=FaultGroup.BATTERY),
    Fault(name="solar_over_voltage", group=FaultGroup.SOLAR),
    Fault(name="output_over_voltage", group=FaultGroup.LOAD),
    Fault(name="output_under_voltage", group=FaultGroup.LOAD),
    Fault(name="inverter_overload", group=FaultGroup.LOAD),
    Fault(name="bypass_overload", group=FaultGroup.LOAD),
    Fault(name="output_over_power", group=FaultGroup.LOAD),
    Fault(name="overload", group=FaultGroup.LOAD),
    Fault(name="dc_converter_overload", group=FaultGroup.DEVICE),
    Fault(name="bus_under_voltage", group=FaultGroup.DEVICE),
    Fault(name="fan_fault", group=FaultGroup.DEVICE),
    Fault(name="fan_locked", group=FaultGroup.DEVICE),
    Fault(name="memory_fault", group=FaultGroup.DEVICE),
    Fault(name="model_setting_fault", group=FaultGroup.DEVICE),
    Fault(name="ups_failed", group=FaultGroup.DEVICE),
    Fault(name="input_over_voltage", group=FaultGroup.MAINS),
    Fault(name="battery_capacity_below_5", group=FaultGroup.BATTERY),
    Fault(name="battery_low", group=FaultGroup.BATTERY),
    Fault(name="battery_capacity_below_10", group=FaultGroup.BATTERY),
    Fault(name="input_under_voltage", group=FaultGroup.MAINS),
    Fault(name="mains_lost", group=FaultGroup.MAINS),
    Fault(name="command_off", group=FaultGroup.DEVICE),
    ANY_UNKNOWN_FAULT,
)

_AC_VOLTS: Final = (0, 300)
_AC_AMPERES: Final = (0, 100)
_HERTZ: Final = (0, 70)
_BATTERY_VOLTS: Final = (0, 80)
_BATTERY_AMPERES: Final = (-500, 500)
_WATTS: Final = (0, 20_000)
_CELSIUS: Final = (-40, 150)
_PERCENT: Final = (0, 100)
_MOST_KILOWATTS: Final = 20.0
_MOST_AMPERES: Final = 500.0


def _days(
    key: str, span: int, word: int, unit: UnitOfMeasurement, scale: float = 1
) -> HistoryField:
    per_hour = _MOST_KILOWATTS if unit is UnitOfMeasurement.KILOWATT_HOUR else _MOST_AMPERES
    return HistoryField(
        key=key,
        span=span,
        word=word,
        word_step=1,
        scale=scale,
        unit_of_measurement=unit,
        most=24 * per_hour,
        summed=True,
    )


BLOCKS: Final = (
    Block(key="live", start=4000, words=10, required=True),
    Block(key="battery", start=4327, words=7),
    Block(key="load", start=4408, words=6),
    Block(key="status", start=4398, words=9),
    Block(key="heatsinks", start=4414, words=2),
    Block(key="energy", start=4543, words=25),
    Block(key="unit_id", start=4109, words=1, identity=True),
    Block(key="model", start=4311, words=8, identity=True),
    # Some extra words keep the lengths apart: see Block.
    Block(key="serial", start=4110, words=11, identity=True),
    Block(key="version", start=4313, words=14, identity=True),
)

FIELDS: Final = (
    Field(
        key="input_voltage",
        register=4000,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_AC_VOLTS,
    ),
    Field(
        key="input_current",
        register=4001,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(
        key="input_frequency",
        register=4009,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.HERTZ,
        valid=_HERTZ,
    ),
    Field(
        key="output_voltage",
        register=4002,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_AC_VOLTS,
    ),
    Field(
        key="output_current",
        register=4003,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(
        key="output_frequency",
        register=4004,
        scale=0.01,
        unit_of_measurement=UnitOfMeasurement.HERTZ,
        valid=_HERTZ,
    ),
    Field(
        key="battery_voltage",
        register=4005,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=_BATTERY_VOLTS,
    ),
    Field(
        key="temperature",
        register=4006,
        scale=0.1,
        signed=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=("vendor's protocol V1.8", "map of a RIV1230PCH"),
    ),
    Field(
        key="status_alarms",
        register=4007,
        words=2,
        kind=Kind.BITS,
        names=STATUS_BITS,
        quiet=QUIET_STATUS_BITS,
    ),
    Field(
        key="battery_percentage",
        register=4327,
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=_PERCENT,
    ),
    Field(
        key="charging_current",
        register=4328,
        scale=0.1,
        signed=True,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_BATTERY_AMPERES,
        evidence=("vendor's protocol V1.8", "reading of a charging RIV1230RCH-SPS"),
    ),
    Field(
        key="solar_voltage",
        register=4329,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.VOLT,
        valid=(0, 600),
    ),
    Field(
        key="solar_current",
        register=4330,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=(0, 200),
    ),
    Field(
        key="solar_power", register=4331, unit_of_measurement=UnitOfMeasurement.WATT, valid=_WATTS
    ),
    Field(
        key="charging_status",
        register=4332,
        kind=Kind.ENUM,
        bits=LOW_BYTE,
        names=CHARGING_STATUS,
    ),
    Field(
        key="charging_power",
        register=4333,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
    ),
    # V1.8 and a REGO reading (raw 12 at 150 VA and 124.9 V) agree on 0.1 A
    Field(
        key="load_current",
        register=4408,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(
        key="load_active_power",
        register=4409,
        unit_of_measurement=UnitOfMeasurement.WATT,
        valid=_WATTS,
    ),
    Field(
        key="load_apparent_power",
        register=4410,
        unit_of_measurement=UnitOfMeasurement.VOLT_AMPERE,
        valid=_WATTS,
    ),
    Field(
        key="line_charging_current",
        register=4412,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.AMPERE,
        valid=(0, 500),
    ),
    Field(
        key="load_percentage",
        register=4413,
        unit_of_measurement=UnitOfMeasurement.PERCENT,
        valid=(0, 300),
    ),
    Field(
        key="faults",
        register=4398,
        words=4,
        kind=Kind.CODES,
        names=FAULT_CODES,
        optional=True,
    ),
    Field(
        key="machine_state",
        register=4405,
        kind=Kind.ENUM,
        names=MACHINE_STATE,
        optional=True,
    ),
    Field(
        key="charged_today",
        register=4543,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_AMPERES,
        optional=True,
    ),
    Field(
        key="discharged_today",
        register=4544,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_AMPERES,
        optional=True,
    ),
    Field(
        key="solar_energy_today",
        register=4545,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="load_energy_today",
        register=4546,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="charged_total",
        register=4550,
        words=2,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.TOTAL,
        order=WordOrder.TOLD,
        today="charged_today",
        evidence=("vendor's protocol V1.8",),
        per_hour=_MOST_AMPERES,
        optional=True,
    ),
    Field(
        key="discharged_total",
        register=4552,
        words=2,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.TOTAL,
        order=WordOrder.TOLD,
        today="discharged_today",
        evidence=("vendor's protocol V1.8",),
        per_hour=_MOST_AMPERES,
        optional=True,
    ),
    Field(
        key="solar_energy_total",
        register=4554,
        words=2,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        order=WordOrder.TOLD,
        today="solar_energy_today",
        evidence=("vendor's protocol V1.8",),
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="load_energy_total",
        register=4556,
        words=2,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        order=WordOrder.TOLD,
        today="load_energy_today",
        evidence=("vendor's protocol V1.8",),
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="mains_charged_today",
        register=4558,
        unit_of_measurement=UnitOfMeasurement.AMPERE_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_AMPERES,
        optional=True,
    ),
    Field(
        key="mains_load_energy_today",
        register=4559,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.DAILY,
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="inverter_time_today",
        register=4560,
        unit_of_measurement=UnitOfMeasurement.MINUTE,
        valid=(0, 1440),
        counter=Counter.DAILY,
        per_hour=60,
        optional=True,
    ),
    Field(
        key="bypass_time_today",
        register=4561,
        unit_of_measurement=UnitOfMeasurement.MINUTE,
        valid=(0, 1440),
        counter=Counter.DAILY,
        per_hour=60,
        optional=True,
    ),
    Field(
        key="mains_load_energy_total",
        register=4564,
        words=2,
        scale=0.1,
        unit_of_measurement=UnitOfMeasurement.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        order=WordOrder.TOLD,
        today="mains_load_energy_today",
        evidence=("vendor's protocol V1.8",),
        per_hour=_MOST_KILOWATTS,
        optional=True,
    ),
    Field(
        key="inverter_time_total",
        register=4566,
        unit_of_measurement=UnitOfMeasurement.HOUR,
        counter=Counter.TOTAL,
        evidence=("vendor's protocol V1.8",),
        per_hour=1,
        optional=True,
    ),
    Field(
        key="bypass_time_total",
        register=4567,
        unit_of_measurement=UnitOfMeasurement.HOUR,
        counter=Counter.TOTAL,
        evidence=("vendor's protocol V1.8",),
        per_hour=1,
        optional=True,
    ),
    Field(
        key="dc_heatsink_temperature",
        register=4414,
        scale=0.1,
        signed=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    Field(
        key="ac_heatsink_temperature",
        register=4415,
        scale=0.1,
        signed=True,
        unit_of_measurement=UnitOfMeasurement.CELSIUS,
        valid=_CELSIUS,
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    Field(key="device_id", register=4109, valid=(1, 247)),
    Field(key="model", register=4311, words=8, kind=Kind.TEXT, info=Info.MODEL),
    Field(
        key="serial_number",
        register=4112,
        words=9,
        kind=Kind.TEXT,
        info=Info.SERIAL_NUMBER,
        optional=True,
    ),
    Field(
        key="version",
        register=4319,
        words=8,
        kind=Kind.TEXT,
        info=Info.VERSION,
        optional=True,
    ),
)

# One register a day, the first one for yesterday; RIV4835 never answered more than 14 words at once.
HISTORY: Final = History(
    first_day=1,
    days=7,
    spans=(
        Span(start=4501, words=14),
        Span(start=4515, words=14),
        Span(start=4529, words=14),
    ),
    fields=(
        _days("solar_charged", 4501, 0, UnitOfMeasurement.AMPERE_HOUR),
        _days("charged", 4501, 7, UnitOfMeasurement.AMPERE_HOUR),
        _days("discharged", 4515, 0, UnitOfMeasurement.AMPERE_HOUR),
        _days("mains_charged", 4515, 7, UnitOfMeasurement.AMPERE_HOUR),
        _days("load_energy", 4529, 0, UnitOfMeasurement.KILOWATT_HOUR, 0.1),
        _days("mains_load_energy", 4529, 7, UnitOfMeasurement.KILOWATT_HOUR, 0.1),
    ),
)

RIV1230RCH: Final = Model(
    key="RIV1230RCH",
    matches=("RIV1230RCH",),
    devices="REGO inverter charger RIV1230RCH (12 V, 3000 W)",
    source="vendor's protocol V1.8; reading of a RIV1230RCH-SPS",
)

RIV4835CSH1S: Final = Model(
    key="RIV4835CSH1S",
    matches=("RIV4835",),
    devices="inverter charger RIV4835CSH1S (48 V, 3500 W)",
    source="captured frames, firmware 403/107",
    # It never answered more than 14 words at once.
    blocks=(
        Block(key="energy", start=4543, words=13),
        Block(key="energy_totals", start=4556, words=12),
    ),
    # Captured at 2535 W of charging: the register holds -49.5 A.
    fields=(
        Field(
            key="charging_current",
            register=4328,
            scale=-0.1,
            signed=True,
            unit_of_measurement=UnitOfMeasurement.AMPERE,
            valid=_BATTERY_AMPERES,
            evidence=(
                "capture while charging with 2535 W",
                "capture while discharging without sun",
            ),
        ),
    ),
)

# High-frequency 230 V machine with a map of its own in the same address window.
RIV1230PCH: Final = Model(
    key="RIV1230PCH",
    matches=("RIV1230PCH", "RIV1220PCH"),
    devices="inverter chargers RIV1230PCH-23S, RIV1220PCH-24S (12 V, 230 V AC)",
    source="one contributor's map, not yet confirmed by a capture",
    without_blocks=frozenset({"load", "energy", "heatsinks"}),
    without_history=True,
    blocks=(
        Block(key="live", start=4000, words=7, required=True),
        Block(key="battery", start=4328, words=6),
        Block(key="status", start=4405, words=18),
    ),
    without_fields=frozenset(
        {
            "input_current",
            "output_voltage",
            "output_current",
            "output_frequency",
            "battery_voltage",
            "battery_percentage",
            "solar_voltage",
            "solar_current",
            "solar_power",
            "charging_status",
            "charging_power",
            "load_current",
            "load_active_power",
            "load_apparent_power",
            "load_percentage",
            "faults",
            "dc_heatsink_temperature",
            "ac_heatsink_temperature",
        }
    ),
    fields=(
        Field(
            key="input_frequency",
            register=4001,
            scale=0.1,
            unit_of_measurement=UnitOfMeasurement.HERTZ,
            valid=_HERTZ,
        ),
        Field(
            key="charging_current",
            register=4328,
            scale=-0.1,
            signed=True,
            unit_of_measurement=UnitOfMeasurement.AMPERE,
            valid=_BATTERY_AMPERES,
            evidence=("map of a RIV1230PCH",),
        ),
    ),
)

SRNE_CHARGING_STATUS: Final = {
    0: "off",
    1: "constant_current",
    2: "constant_voltage",
    4: "float",
    6: "battery_activation",
    8: "full",
}
# 2 and 3 are initialising and soft start on some machines, operation on split-phase ones
SRNE_MACHINE_STATE: Final = {
    0: "power_on_delay",
    1: "waiting",
    4: "mains_operation",
    5: "inverter_operation",
    6: "inverter_to_mains",
    7: "mains_to_inverter",
    8: "battery_activation",
    9: "shutdown",
    10: "fault",
}


def _number(
    key: str, register: int, scale: float, unit: UnitOfMeasurement, valid: tuple[float, float]
) -> Field:
    return Field(key=key, register=register, scale=scale, unit_of_measurement=unit, valid=valid)


def _srne_counter(key: str, register: int, counter: Counter, unit: UnitOfMeasurement) -> Field:
    total, energy = counter is Counter.TOTAL, unit is UnitOfMeasurement.KILOWATT_HOUR
    return Field(
        key=key,
        register=register,
        words=2 if total else 1,
        scale=0.1 if energy else 1,
        unit_of_measurement=unit,
        counter=counter,
        per_hour=_MOST_KILOWATTS if energy else _MOST_AMPERES,
        order=WordOrder.LOW_FIRST if total else WordOrder.HIGH_FIRST,
        evidence=_SRNE_TOTALS if total else (),
        optional=True,
    )


_SRNE_TOTALS: Final = (
    "log of a SMX-II: 4558 and 1165 Ah, 73.5 and 332.0 kWh",
    "eleven values of another project's machines",
)
_SRNE_CURRENT: Final = (
    "log of a SMX-II that discharges without sun and mains",
    "measurement: +14.4 A discharging, -16.4 A charging",
    "SRNE protocols V1.96 and V2.08",
)
_SRNE_HEAT: Final = ("SRNE protocol V1.7",)


# A span that holds register 0x0211 is never answered by some firmware.
SRNE: Final = Model(
    key="SRNE",
    matches=("SRNE",),
    devices="hybrid inverters that answer the maker's own map alone",
    source="SRNE protocols V1.7 to V2.08; log of a SMX-II of the same maker",
    standalone=True,
    without_history=True,
    blocks=(
        Block(key="live", start=0x0100, words=18, required=True),
        Block(key="inverter", start=0x0212, words=14),
        Block(key="heatsinks", start=0x0220, words=2),
        Block(key="codes", start=0x0204, words=4),
        Block(key="state", start=0x0210, words=1),
        Block(key="energy", start=0xF02D, words=15),
        Block(key="serial", start=0x0035, words=20, identity=True),
    ),
    fields=(
        _number("battery_percentage", 0x0100, 1, UnitOfMeasurement.PERCENT, _PERCENT),
        _number("battery_voltage", 0x0101, 0.1, UnitOfMeasurement.VOLT, _BATTERY_VOLTS),
        Field(
            key="charging_current",
            register=0x0102,
            scale=-0.1,  # positive when discharging
            signed=True,
            unit_of_measurement=UnitOfMeasurement.AMPERE,
            valid=_BATTERY_AMPERES,
            evidence=_SRNE_CURRENT,
        ),
        _number("solar_voltage", 0x0107, 0.1, UnitOfMeasurement.VOLT, (0, 600)),
        _number("solar_current", 0x0108, 0.1, UnitOfMeasurement.AMPERE, (0, 200)),
        _number("solar_power", 0x0109, 1, UnitOfMeasurement.WATT, _WATTS),
        Field(
            key="charging_status",
            register=0x010B,
            kind=Kind.ENUM,
            names=SRNE_CHARGING_STATUS,
        ),
        _number("charging_power", 0x010E, 1, UnitOfMeasurement.WATT, _WATTS),
        _number("solar_2_voltage", 0x010F, 0.1, UnitOfMeasurement.VOLT, (0, 600)),
        _number("solar_2_current", 0x0110, 0.1, UnitOfMeasurement.AMPERE, (0, 200)),
        _number("solar_2_power", 0x0111, 1, UnitOfMeasurement.WATT, _WATTS),
        _number("input_voltage", 0x0213, 0.1, UnitOfMeasurement.VOLT, _AC_VOLTS),
        _number("input_current", 0x0214, 0.1, UnitOfMeasurement.AMPERE, _AC_AMPERES),
        _number("input_frequency", 0x0215, 0.01, UnitOfMeasurement.HERTZ, _HERTZ),
        _number("output_voltage", 0x0216, 0.1, UnitOfMeasurement.VOLT, _AC_VOLTS),
        _number("output_current", 0x0217, 0.1, UnitOfMeasurement.AMPERE, _AC_AMPERES),
        _number("output_frequency", 0x0218, 0.01, UnitOfMeasurement.HERTZ, _HERTZ),
        _number("load_current", 0x0219, 0.1, UnitOfMeasurement.AMPERE, _AC_AMPERES),
        _number("load_active_power", 0x021B, 1, UnitOfMeasurement.WATT, _WATTS),
        _number("load_apparent_power", 0x021C, 1, UnitOfMeasurement.VOLT_AMPERE, _WATTS),
        _number("line_charging_current", 0x021E, 0.1, UnitOfMeasurement.AMPERE, (0, 500)),
        _number("load_percentage", 0x021F, 1, UnitOfMeasurement.PERCENT, (0, 300)),
        Field(
            key="dc_heatsink_temperature",
            register=0x0220,
            scale=0.1,
            signed=True,
            unit_of_measurement=UnitOfMeasurement.CELSIUS,
            valid=_CELSIUS,
            evidence=_SRNE_HEAT,
            optional=True,
        ),
        Field(
            key="ac_heatsink_temperature",
            register=0x0221,
            scale=0.1,
            signed=True,
            unit_of_measurement=UnitOfMeasurement.CELSIUS,
            valid=_CELSIUS,
            evidence=_SRNE_HEAT,
            optional=True,
        ),
        Field(
            key="faults",
            register=0x0204,
            words=4,
            kind=Kind.CODES,
            names=FAULT_CODES,
            optional=True,
        ),
        Field(
            key="machine_state",
            register=0x0210,
            kind=Kind.ENUM,
            names=SRNE_MACHINE_STATE,
            optional=True,
        ),
        _srne_counter("charged_today", 0xF02D, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("discharged_today", 0xF02E, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("solar_energy_today", 0xF02F, Counter.DAILY, UnitOfMeasurement.KILOWATT_HOUR),
        _srne_counter("load_energy_today", 0xF030, Counter.DAILY, UnitOfMeasurement.KILOWATT_HOUR),
        Field(
            key="operating_days",
            register=0xF031,
            unit_of_measurement=UnitOfMeasurement.DAY,
            valid=(0, 20 * 366),
            counter=Counter.EVENTS,
            optional=True,
        ),
        _srne_counter("charged_total", 0xF034, Counter.TOTAL, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("discharged_total", 0xF036, Counter.TOTAL, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("solar_energy_total", 0xF038, Counter.TOTAL, UnitOfMeasurement.KILOWATT_HOUR),
        _srne_counter("load_energy_total", 0xF03A, Counter.TOTAL, UnitOfMeasurement.KILOWATT_HOUR),
        Field(
            key="serial_number",
            register=0x0035,
            words=20,
            bits=LOW_BYTE,
            kind=Kind.TEXT,
            info=Info.SERIAL_NUMBER,
            optional=True,
        ),
    ),
)

OTHER: Final = Model(
    key=OTHER_MODEL,
    matches=("OTHER",),
    devices="another inverter",
    source="what the known models have in common; unconfirmed",
    # RIV4835 sends it negated
    without_fields=frozenset({"charging_current"}),
)

INVERTER: Final = Profile(
    key="inverter",
    name="Inverter",
    units=(32, 255, 1),
    name_prefixes=("BTRIC", "RNGRIU", "BTRIV", "BTRAC", "BTRI213", "BTRIL23"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(RIV1230RCH, RIV4835CSH1S, RIV1230PCH, SRNE, OTHER),
    faults=FAULTS,
    history=HISTORY,
    no_value=NO_VALUE,
)
