"""Inverters and inverter chargers: REGO RIV1230RCH as the base, others as they differ.

Sources: the vendor's inverter protocol V1.8 (registers 4000-4615), readings and captures of a
RIV1230RCH-SPS and a RIV4835CSH1S, for RIV1230PCH one contributor's map, and for the maker's own map
the SRNE protocols V1.7 to V2.08 and the log of a SMX-II.
"""

from typing import Final

from .declaration import (
    LOW_BYTE,
    NO_VALUE,
    Block,
    Counter,
    Field,
    Info,
    Kind,
    Quantity,
    Span,
    UnitOfMeasurement,
    WordOrder,
)
from .fields import counter, number
from .inverter_faults import FAULT_CODES, FAULTS, QUIET_STATUS_BITS, STATUS_BITS
from .inverter_limits import (
    AC_AMPERES,
    AC_VOLTS,
    BATTERY_AMPERES,
    BATTERY_VOLTS,
    CELSIUS,
    HERTZ,
    MOST_AMPERES,
    MOST_KILOWATTS,
    PERCENT,
    WATTS,
)
from .inverter_settings import PCH_CONTROLS, REGO_CONTROLS, RIV4835_CONTROLS
from .profile import OTHER_MODEL, History, HistoryField, Model, Profile
from .srne import SRNE

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


def _days(
    key: str, span: int, word: int, unit: UnitOfMeasurement, scale: float = 1
) -> HistoryField:
    per_hour = MOST_KILOWATTS if unit is UnitOfMeasurement.KILOWATT_HOUR else MOST_AMPERES
    return HistoryField(
        key=key,
        span=span,
        word=word,
        word_step=1,
        scale=scale,
        unit_of_measurement=unit,
        maximum=24 * per_hour,
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
    number("input_voltage", 4000, UnitOfMeasurement.VOLT, AC_VOLTS, 0.1),
    number("input_current", 4001, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.01),
    number("input_frequency", 4009, UnitOfMeasurement.HERTZ, HERTZ, 0.01),
    number("output_voltage", 4002, UnitOfMeasurement.VOLT, AC_VOLTS, 0.1),
    number("output_current", 4003, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.01),
    number("output_frequency", 4004, UnitOfMeasurement.HERTZ, HERTZ, 0.01),
    number("battery_voltage", 4005, UnitOfMeasurement.VOLT, BATTERY_VOLTS, 0.1),
    number(
        "temperature",
        4006,
        UnitOfMeasurement.CELSIUS,
        CELSIUS,
        0.1,
        signed=True,
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
    number(
        "battery_percentage",
        4327,
        UnitOfMeasurement.PERCENT,
        PERCENT,
        quantity=Quantity.BATTERY_LEVEL,
    ),
    number(
        "charging_current",
        4328,
        UnitOfMeasurement.AMPERE,
        BATTERY_AMPERES,
        0.1,
        signed=True,
        evidence=("vendor's protocol V1.8", "reading of a charging RIV1230RCH-SPS"),
    ),
    number("solar_voltage", 4329, UnitOfMeasurement.VOLT, (0, 600), 0.1),
    number("solar_current", 4330, UnitOfMeasurement.AMPERE, (0, 200), 0.1),
    number("solar_power", 4331, UnitOfMeasurement.WATT, WATTS),
    Field(
        key="charging_status",
        register=4332,
        kind=Kind.ENUM,
        bits=LOW_BYTE,
        names=CHARGING_STATUS,
    ),
    number("charging_power", 4333, UnitOfMeasurement.WATT, WATTS),
    # V1.8 and a REGO reading (raw 12 at 150 VA and 124.9 V) agree on 0.1 A
    number("load_current", 4408, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.1),
    number("load_active_power", 4409, UnitOfMeasurement.WATT, WATTS),
    number("load_apparent_power", 4410, UnitOfMeasurement.VOLT_AMPERE, WATTS),
    number("line_charging_current", 4412, UnitOfMeasurement.AMPERE, (0, 500), 0.1),
    number("load_percentage", 4413, UnitOfMeasurement.PERCENT, (0, 300)),
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
    counter(
        "charged_today",
        4543,
        Counter.DAILY,
        UnitOfMeasurement.AMPERE_HOUR,
        MOST_AMPERES,
        optional=True,
    ),
    counter(
        "discharged_today",
        4544,
        Counter.DAILY,
        UnitOfMeasurement.AMPERE_HOUR,
        MOST_AMPERES,
        optional=True,
    ),
    counter(
        "solar_energy_today",
        4545,
        Counter.DAILY,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        optional=True,
    ),
    counter(
        "load_energy_today",
        4546,
        Counter.DAILY,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        optional=True,
    ),
    counter(
        "charged_total",
        4550,
        Counter.TOTAL,
        UnitOfMeasurement.AMPERE_HOUR,
        MOST_AMPERES,
        words=2,
        order=WordOrder.INFERRED,
        today="charged_today",
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    counter(
        "discharged_total",
        4552,
        Counter.TOTAL,
        UnitOfMeasurement.AMPERE_HOUR,
        MOST_AMPERES,
        words=2,
        order=WordOrder.INFERRED,
        today="discharged_today",
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    counter(
        "solar_energy_total",
        4554,
        Counter.TOTAL,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        words=2,
        order=WordOrder.INFERRED,
        today="solar_energy_today",
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    counter(
        "load_energy_total",
        4556,
        Counter.TOTAL,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        words=2,
        order=WordOrder.INFERRED,
        today="load_energy_today",
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    counter(
        "mains_charged_today",
        4558,
        Counter.DAILY,
        UnitOfMeasurement.AMPERE_HOUR,
        MOST_AMPERES,
        optional=True,
    ),
    counter(
        "mains_load_energy_today",
        4559,
        Counter.DAILY,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        optional=True,
    ),
    counter(
        "inverter_time_today",
        4560,
        Counter.DAILY,
        UnitOfMeasurement.MINUTE,
        60,
        valid=(0, 1440),
        optional=True,
        advanced=True,
    ),
    counter(
        "bypass_time_today",
        4561,
        Counter.DAILY,
        UnitOfMeasurement.MINUTE,
        60,
        valid=(0, 1440),
        optional=True,
        advanced=True,
    ),
    counter(
        "mains_load_energy_total",
        4564,
        Counter.TOTAL,
        UnitOfMeasurement.KILOWATT_HOUR,
        MOST_KILOWATTS,
        scale=0.1,
        words=2,
        order=WordOrder.INFERRED,
        today="mains_load_energy_today",
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    counter(
        "inverter_time_total",
        4566,
        Counter.TOTAL,
        UnitOfMeasurement.HOUR,
        1,
        evidence=("vendor's protocol V1.8",),
        optional=True,
        advanced=True,
    ),
    counter(
        "bypass_time_total",
        4567,
        Counter.TOTAL,
        UnitOfMeasurement.HOUR,
        1,
        evidence=("vendor's protocol V1.8",),
        optional=True,
        advanced=True,
    ),
    number(
        "dc_heatsink_temperature",
        4414,
        UnitOfMeasurement.CELSIUS,
        CELSIUS,
        0.1,
        signed=True,
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    number(
        "ac_heatsink_temperature",
        4415,
        UnitOfMeasurement.CELSIUS,
        CELSIUS,
        0.1,
        signed=True,
        evidence=("vendor's protocol V1.8",),
        optional=True,
    ),
    Field(key="device_id", register=4109, valid=(1, 247), setting=True),
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
    controls=REGO_CONTROLS,
)

RIV4835CSH1S: Final = Model(
    key="RIV4835CSH1S",
    matches=("RIV4835",),
    devices="inverter charger RIV4835CSH1S (48 V, 3500 W)",
    source="captured frames, firmware 403/107",
    controls=RIV4835_CONTROLS,
    # It never answered more than 14 words at once.
    blocks=(
        Block(key="energy", start=4543, words=13),
        Block(key="energy_totals", start=4556, words=12),
    ),
    # Captured at 2535 W of charging: the register holds -49.5 A.
    fields=(
        number(
            "charging_current",
            4328,
            UnitOfMeasurement.AMPERE,
            BATTERY_AMPERES,
            -0.1,
            signed=True,
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
    controls=PCH_CONTROLS,
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
        number("input_frequency", 4001, UnitOfMeasurement.HERTZ, HERTZ, 0.1),
        number(
            "charging_current",
            4328,
            UnitOfMeasurement.AMPERE,
            BATTERY_AMPERES,
            -0.1,
            signed=True,
            evidence=("map of a RIV1230PCH",),
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
