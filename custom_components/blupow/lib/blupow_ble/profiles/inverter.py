"""Inverters and inverter chargers: REGO RIV1230RCH as the base, RIV4835CSH1S and RIV1230PCH as they differ.

Sources: the vendor's inverter protocol V1.8 (registers 4000-4615), readings and captures of a
RIV1230RCH-SPS and a RIV4835CSH1S, and for RIV1230PCH one contributor's map.
"""

from typing import Final

from .declaration import About, Block, Counter, Field, Kind, Model, Profile, Unit

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

FAULTS: Final = {
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

_AC_VOLTS: Final = (0, 300)
_AC_AMPERES: Final = (0, 100)
_HERTZ: Final = (0, 70)
_BATTERY_VOLTS: Final = (0, 80)
_BATTERY_AMPERES: Final = (-500, 500)
_WATTS: Final = (0, 20_000)
_CELSIUS: Final = (-40, 150)
_PERCENT: Final = (0, 100)

BLOCKS: Final = (
    Block(key="live", start=4000, words=10, required=True),
    Block(key="battery", start=4327, words=7),
    Block(key="load", start=4408, words=6),
    Block(key="status", start=4398, words=9),
    Block(key="energy", start=4543, words=25),
    Block(key="unit", start=4109, words=1, identity=True),
    Block(key="model", start=4311, words=8, identity=True),
    # Some extra words keep the lengths apart: see Block.
    Block(key="serial", start=4110, words=11, identity=True),
    Block(key="version", start=4313, words=14, identity=True),
)

FIELDS: Final = (
    Field(key="input_voltage", register=4000, scale=0.1, unit=Unit.VOLT, valid=_AC_VOLTS),
    Field(
        key="input_current",
        register=4001,
        scale=0.01,
        unit=Unit.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(key="input_frequency", register=4009, scale=0.01, unit=Unit.HERTZ, valid=_HERTZ),
    Field(key="output_voltage", register=4002, scale=0.1, unit=Unit.VOLT, valid=_AC_VOLTS),
    Field(
        key="output_current",
        register=4003,
        scale=0.01,
        unit=Unit.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(key="output_frequency", register=4004, scale=0.01, unit=Unit.HERTZ, valid=_HERTZ),
    Field(
        key="battery_voltage",
        register=4005,
        scale=0.1,
        unit=Unit.VOLT,
        valid=_BATTERY_VOLTS,
    ),
    Field(
        key="temperature",
        register=4006,
        scale=0.1,
        signed=True,
        unit=Unit.CELSIUS,
        valid=_CELSIUS,
    ),
    Field(key="battery_percentage", register=4327, unit=Unit.PERCENT, valid=_PERCENT),
    Field(
        key="charging_current",
        register=4328,
        scale=0.1,
        signed=True,
        unit=Unit.AMPERE,
        valid=_BATTERY_AMPERES,
    ),
    Field(key="solar_voltage", register=4329, scale=0.1, unit=Unit.VOLT, valid=(0, 600)),
    Field(key="solar_current", register=4330, scale=0.1, unit=Unit.AMPERE, valid=(0, 200)),
    Field(key="solar_power", register=4331, unit=Unit.WATT, valid=_WATTS),
    Field(
        key="charging_status",
        register=4332,
        kind=Kind.ENUM,
        low_byte=True,
        names=CHARGING_STATUS,
    ),
    Field(key="charging_power", register=4333, unit=Unit.WATT, valid=_WATTS),
    # V1.8 and a REGO reading (raw 12 at 150 VA and 124.9 V) agree on 0.1 A
    Field(
        key="load_current",
        register=4408,
        scale=0.1,
        unit=Unit.AMPERE,
        valid=_AC_AMPERES,
    ),
    Field(key="load_active_power", register=4409, unit=Unit.WATT, valid=_WATTS),
    Field(key="load_apparent_power", register=4410, unit=Unit.VOLT_AMPERE, valid=_WATTS),
    Field(
        key="line_charging_current",
        register=4412,
        scale=0.1,
        unit=Unit.AMPERE,
        valid=(0, 500),
    ),
    Field(key="load_percentage", register=4413, unit=Unit.PERCENT, valid=(0, 300)),
    Field(
        key="faults",
        register=4398,
        words=4,
        kind=Kind.CODES,
        names=FAULTS,
        other="unknown_fault",
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
        unit=Unit.AMPERE_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="discharged_today",
        register=4544,
        unit=Unit.AMPERE_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="solar_energy_today",
        register=4545,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="load_energy_today",
        register=4546,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="charged_total",
        register=4550,
        words=2,
        unit=Unit.AMPERE_HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="discharged_total",
        register=4552,
        words=2,
        unit=Unit.AMPERE_HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="solar_energy_total",
        register=4554,
        words=2,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="load_energy_total",
        register=4556,
        words=2,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="mains_charged_today",
        register=4558,
        unit=Unit.AMPERE_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="mains_load_energy_today",
        register=4559,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="inverter_time_today",
        register=4560,
        unit=Unit.MINUTE,
        valid=(0, 1440),
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="bypass_time_today",
        register=4561,
        unit=Unit.MINUTE,
        valid=(0, 1440),
        counter=Counter.DAILY,
        optional=True,
    ),
    Field(
        key="mains_load_energy_total",
        register=4564,
        words=2,
        scale=0.1,
        unit=Unit.KILOWATT_HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="inverter_time_total",
        register=4566,
        unit=Unit.HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(
        key="bypass_time_total",
        register=4567,
        unit=Unit.HOUR,
        counter=Counter.TOTAL,
        optional=True,
    ),
    Field(key="device_id", register=4109, valid=(1, 247)),
    Field(key="model", register=4311, words=8, kind=Kind.TEXT, about=About.MODEL),
    Field(
        key="serial_number",
        register=4112,
        words=9,
        kind=Kind.TEXT,
        about=About.SERIAL_NUMBER,
        optional=True,
    ),
    Field(
        key="version",
        register=4319,
        words=8,
        kind=Kind.TEXT,
        about=About.VERSION,
        optional=True,
    ),
)

RIV1230RCH: Final = Model(
    key="RIV1230RCH",
    matches=("RIV1230RCH",),
    source="vendor's protocol V1.8; reading of a RIV1230RCH-SPS",
)

RIV4835CSH1S: Final = Model(
    key="RIV4835CSH1S",
    matches=("RIV4835",),
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
            unit=Unit.AMPERE,
            valid=_BATTERY_AMPERES,
        ),
    ),
)

# High-frequency 230 V machine with a map of its own in the same address window.
RIV1230PCH: Final = Model(
    key="RIV1230PCH",
    matches=("RIV1230PCH",),
    source="one contributor's map, not yet confirmed by a capture",
    without_blocks=frozenset({"load", "energy"}),
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
        }
    ),
    fields=(
        Field(
            key="input_frequency",
            register=4001,
            scale=0.1,
            unit=Unit.HERTZ,
            valid=_HERTZ,
        ),
        Field(
            key="charging_current",
            register=4328,
            scale=-0.1,
            signed=True,
            unit=Unit.AMPERE,
            valid=_BATTERY_AMPERES,
        ),
    ),
)

INVERTER: Final = Profile(
    key="inverter",
    name="Inverter",
    units=(32, 255, 1),
    name_prefixes=("BTRIC", "RNGRIU", "BTRIV", "BTRAC", "BTRI213", "BTRIL23"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(RIV1230RCH, RIV4835CSH1S, RIV1230PCH),
)
