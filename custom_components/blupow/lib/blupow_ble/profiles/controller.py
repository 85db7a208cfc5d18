"""Solar charge controllers: Rover, Wanderer, Adventurer and their kin, which share one map.

Sources: the vendor's ROVER register document and controller protocol V1.7; captures of a Rover 40.
Of fault bits 17 and 18 the documents print both meanings: the table of the ROVER document and the
vendor's app agree, and are followed.
"""

from typing import Final

from .charger import (
    AMPERES,
    BOOST_BATTERY_TYPE,
    COUNTS,
    DAY_SPANS,
    IDENTITY_FIELDS,
    ROVER_BATTERY_TYPE,
    SETTINGS,
    battery_fields,
    battery_type,
    extremes_today,
)
from .charger_settings import (
    BOOST_CONTROLS,
    ELITE_CONTROLS,
    ROVER_100_CONTROLS,
    ROVER_CONTROLS,
    WANDERER_CONTROLS,
    WANDERER_PG_CONTROLS,
)
from .declaration import (
    ANY_UNKNOWN_FAULT,
    HIGH_BYTE,
    LOW_BYTE,
    Block,
    Counter,
    Fault,
    FaultGroup,
    Field,
    Kind,
    Quantity,
    UnitOfMeasurement,
)
from .fields import counter, number, ring_of_days
from .profile import History, Model, Profile

CHARGING_STATUS: Final = {
    0: "off",
    1: "activated",
    2: "mppt",
    3: "equalizing",
    4: "boost",
    5: "float",
    6: "current_limiting",
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

FIELDS: Final = (
    *battery_fields(_VOLTS, _CELSIUS, _HEAT),
    number("load_voltage", 0x0104, UnitOfMeasurement.VOLT, _VOLTS, 0.1),
    number("load_current", 0x0105, UnitOfMeasurement.AMPERE, AMPERES, 0.01),
    number("load_power", 0x0106, UnitOfMeasurement.WATT, _WATTS),
    number("solar_voltage", 0x0107, UnitOfMeasurement.VOLT, _SOLAR_VOLTS, 0.1),
    number("solar_current", 0x0108, UnitOfMeasurement.AMPERE, AMPERES, 0.01),
    # documented as charging power; what real ones send is the product of voltage and current above
    number("solar_power", 0x0109, UnitOfMeasurement.WATT, _WATTS),
    number(
        "maximum_discharging_current_today",
        0x010E,
        UnitOfMeasurement.AMPERE,
        AMPERES,
        0.01,
        advanced=True,
    ),
    number(
        "maximum_discharging_power_today", 0x0110, UnitOfMeasurement.WATT, _WATTS, advanced=True
    ),
    *extremes_today(_VOLTS, _WATTS),
    counter("charged_today", 0x0111, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR, _MOST_AMPERES),
    counter(
        "discharged_today", 0x0112, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR, _MOST_AMPERES
    ),
    counter("solar_energy_today", 0x0113, Counter.DAILY, UnitOfMeasurement.WATT_HOUR, _MOST_WATTS),
    counter("load_energy_today", 0x0114, Counter.DAILY, UnitOfMeasurement.WATT_HOUR, _MOST_WATTS),
    *COUNTS,
    counter(
        "charged_total",
        0x0118,
        Counter.TOTAL,
        UnitOfMeasurement.AMPERE_HOUR,
        _MOST_AMPERES,
        words=2,
        evidence=_CHARGED,
    ),
    counter(
        "discharged_total",
        0x011A,
        Counter.TOTAL,
        UnitOfMeasurement.AMPERE_HOUR,
        _MOST_AMPERES,
        words=2,
        evidence=_DOCUMENT,
    ),
    counter(
        "solar_energy_total",
        0x011C,
        Counter.TOTAL,
        UnitOfMeasurement.WATT_HOUR,
        _MOST_WATTS,
        words=2,
        evidence=_ENERGY,
    ),
    counter(
        "load_energy_total",
        0x011E,
        Counter.TOTAL,
        UnitOfMeasurement.WATT_HOUR,
        _MOST_WATTS,
        words=2,
        evidence=_DOCUMENT,
    ),
    Field(key="load", register=0x0120, kind=Kind.FLAG, bits=(15, 1), quantity=Quantity.POWERED),
    number(
        "load_brightness", 0x0120, UnitOfMeasurement.PERCENT, (0, 100), bits=(8, 7), advanced=True
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
    number(
        "end_of_charge_percentage",
        0xE00F,
        UnitOfMeasurement.PERCENT,
        (0, 100),
        bits=HIGH_BYTE,
        optional=True,
        setting=True,
        advanced=True,
    ),
    number(
        "end_of_discharge_percentage",
        0xE00F,
        UnitOfMeasurement.PERCENT,
        (0, 100),
        bits=LOW_BYTE,
        optional=True,
        setting=True,
        advanced=True,
    ),
    Field(
        key="load_mode",
        register=0xE01D,
        kind=Kind.ENUM,
        names=LOAD_MODE,
        optional=True,
        setting=True,
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
        ring_of_days("maximum_discharging_current", 3, UnitOfMeasurement.AMPERE, AMPERES[1], 0.01),
        ring_of_days("maximum_charging_power", 4, UnitOfMeasurement.WATT, _WATTS[1]),
        ring_of_days("maximum_discharging_power", 5, UnitOfMeasurement.WATT, _WATTS[1]),
        ring_of_days("charged", 6, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True),
        ring_of_days(
            "discharged", 7, UnitOfMeasurement.AMPERE_HOUR, 24 * _MOST_AMPERES, summed=True
        ),
        ring_of_days("solar_energy", 8, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True),
        ring_of_days("load_energy", 9, UnitOfMeasurement.WATT_HOUR, 24 * _MOST_WATTS, summed=True),
    ),
)

ROVER: Final = Model(
    key="Rover",
    matches=("ROVER", "RNG-CTRL", "RCC", "ML", "WND", "ADV"),
    devices="Rover, Rover Elite, Wanderer, Adventurer; Rich Solar and SRNE ML",
    source="vendor's ROVER document and protocol V1.7; captures of a Rover 40",
    fields=(battery_type(ROVER_BATTERY_TYPE),),
)

ROVER_100: Final = Model(
    key="RVR100",
    matches=("RNG-CTRL-RVR100", "RVR100"),
    devices="Rover 100 (no load terminals)",
    source="vendor's ROVER document; another project's table of models",
    fields=(battery_type(ROVER_BATTERY_TYPE),),
    controls=ROVER_100_CONTROLS,
)

ROVER_ELITE: Final = Model(
    key="RCC40RVRE",
    matches=("RCC40RVRE", "RCC20RVRE"),
    devices="Rover Elite RCC20RVRE, RCC40RVRE (no load terminals)",
    source="vendor's ROVER document; another project's table of models",
    fields=(battery_type(ROVER_BATTERY_TYPE),),
    controls=ELITE_CONTROLS,
)

WANDERER_10: Final = Model(
    key="WND10",
    matches=("RNG-CTRL-WND10", "WND10"),
    devices="Wanderer 10",
    source="vendor's ROVER document; another project's table of models",
    fields=(battery_type(ROVER_BATTERY_TYPE),),
    controls=WANDERER_CONTROLS,
)

WANDERER_PG: Final = Model(
    key="WNDPG10",
    matches=("RNG-CTRL-WNDPG10", "WNDPG10"),
    devices="Wanderer 10 PG",
    source="vendor's ROVER document; another project's table of models",
    fields=(battery_type(ROVER_BATTERY_TYPE),),
    controls=WANDERER_PG_CONTROLS,
)

ROVER_BOOST: Final = Model(
    key="RCC10RVRB",
    matches=("RCC10RVRB",),
    devices="Rover Boost RCC10RVRB",
    source="another project's table of battery types",
    fields=(battery_type(BOOST_BATTERY_TYPE),),
    controls=BOOST_CONTROLS,
)

CONTROLLER: Final = Profile(
    key="controller",
    name="Charge controller",
    units=(255, 1, 16, 17, 96, 97),
    name_prefixes=("RNG-CTRL", "RCC"),
    blocks=BLOCKS,
    fields=FIELDS,
    models=(ROVER, ROVER_100, ROVER_ELITE, WANDERER_10, WANDERER_PG, ROVER_BOOST),
    faults=FAULTS,
    history=HISTORY,
    controls=ROVER_CONTROLS,
)
