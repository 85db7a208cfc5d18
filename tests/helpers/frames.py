"""Frames captured from real devices, with what they mean. CRCs are part of the captures."""

from typing import Any, Final, NamedTuple

from custom_components.blupow.lib.blupow_ble.protocol.modbus import ReadRequest, WriteRequest, seal


class Capture(NamedTuple):
    """A response and what it must decode to."""

    start: int
    model: str
    frame: str
    values: dict[str, Any]
    profile: str = "inverter"


# RIV4835CSH1S, firmware 403/107
RIV4835_LIVE: Final = Capture(
    4000,
    "RIV4835CSH1S",
    "200314046f06a4046b001e177102000227000000001771352f",
    {
        "input_voltage": 113.5,
        "input_current": 17.0,
        "output_voltage": 113.1,
        "output_current": 0.3,
        "output_frequency": 60.01,
        "battery_voltage": 51.2,
        "temperature": 55.1,
        "input_frequency": 60.01,
        "status_alarms": [],
    },
)
RIV4835_BATTERY: Final = Capture(
    4327,
    "RIV4835CSH1S",
    "20030e003cfe1102690069028a000209e7e8e0",
    {
        "battery_percentage": 60,
        "charging_current": 49.5,
        "solar_voltage": 61.7,
        "solar_current": 10.5,
        "solar_power": 650,
        "charging_status": "constant_voltage",
        "charging_power": 2535,
    },
)
RIV4835_DISCHARGING: Final = Capture(
    4327,
    "RIV4835CSH1S",
    "20030e002a004301f90000000000000000a531",
    {
        "battery_percentage": 42,
        "charging_current": -6.7,
        "solar_voltage": 50.5,
        "solar_current": 0.0,
        "solar_power": 0,
        "charging_status": "off",
        "charging_power": 0,
    },
)
RIV4835_LOAD: Final = Capture(
    4408,
    "RIV4835CSH1S",
    "20030c000200140016000001710000a0f6",
    {
        "load_current": 0.2,
        "load_active_power": 20,
        "load_apparent_power": 22,
        "line_charging_current": 36.9,
        "load_percentage": 0,
    },
)
ONE_WORD: Final = Capture(4109, "RIV4835CSH1S", "2003020001c583", {"device_id": 1})
RIV4835_MODEL: Final = Capture(
    4311,
    "RIV4835CSH1S",
    "20031052495634383335435348315300000000162c",
    {"model": "RIV4835CSH1S"},
)
INVERTER_CAPTURES: Final = (
    RIV4835_LIVE,
    RIV4835_BATTERY,
    RIV4835_DISCHARGING,
    RIV4835_LOAD,
    ONE_WORD,
    RIV4835_MODEL,
)


def _controller(start: int, frame: str, **values: Any) -> Capture:
    return Capture(start, "Rover", frame, values, "controller")


# Rover 40 over a BT-1 (unit 255), and the worked examples of the ROVER document (unit 1)
CONTROLLER_CAPTURES: Final = (
    _controller(0x000C, "ff03102020524e472d4354524c2d52565234303724", model="RNG-CTRL-RVR40"),
    _controller(
        0x0100,
        "ff03440064009000040e1900000000000000e8000400010000008f0091001100000001000000000000"
        "00000000022b000100000000137c00000000000101900000000000040000a3d2",
        battery_percentage=100,
        battery_voltage=14.4,
        charging_current=0.04,
        temperature=14,
        battery_temperature=25,
        load_voltage=0.0,
        load_current=0.0,
        load_power=0,
        solar_voltage=23.2,
        solar_current=0.04,
        solar_power=1,
        minimum_battery_voltage_today=14.3,
        maximum_battery_voltage_today=14.5,
        maximum_charging_current_today=0.17,
        maximum_discharging_current_today=0.0,
        maximum_charging_power_today=1,
        maximum_discharging_power_today=0,
        charged_today=0,
        discharged_today=0,
        solar_energy_today=0,
        load_energy_today=0,
        operating_days=555,
        over_discharges=1,
        full_charges=0,
        charged_total=4988,
        discharged_total=0,
        solar_energy_total=65936,
        load_energy_total=0,
        load=False,
        load_brightness=0,
        charging_status="boost",
        faults=[],
    ),
    _controller(0xE004, "ff030200049053", battery_type="lithium"),
    _controller(
        0xE003,
        "ff0324ff00000200a0009b00920090008a0084007e0078006f006a6432000500780078001e00036b80",
        system_voltage_setting="automatic",
        battery_type="sealed",
        over_voltage_threshold=16.0,
        charging_limit_voltage=15.5,
        equalization_voltage=14.6,
        boost_voltage=14.4,
        float_voltage=13.8,
        boost_recovery_voltage=13.2,
        over_discharge_recovery_voltage=12.6,
        under_voltage_warning_level=12.0,
        over_discharge_voltage=11.1,
        discharge_limit_voltage=10.6,
        end_of_charge_percentage=100,
        end_of_discharge_percentage=50,
        over_discharge_delay=5,
        equalization_time=120,
        boost_time=120,
        equalization_interval=30,
        temperature_compensation=3,
    ),
    _controller(0xE01D, "ff03020011519c", load_mode="always_on"),
    _controller(
        0x0120, "ff030200015050", load=False, load_brightness=0, charging_status="activated"
    ),
    _controller(0x000A, "010302181e324c", maximum_system_voltage=24, rated_charging_current=30),
    _controller(0x000C, "010310202020204d5434383330202020202020ee98", model="MT4830"),
    _controller(0x0014, "01030800030201000102038a54", version="V3.2.1", hardware_version="V1.2.3"),
    _controller(0x0018, "0103041501ffffae4f", serial_number="1501FFFF"),
    _controller(0x0100, "0103020064b9af", battery_percentage=100),
    _controller(0x0101, "010302007bf867", battery_voltage=12.3),
    _controller(
        0x0102,
        "01030400200028fbe7",
        charging_current=0.32,
        temperature=0,
        battery_temperature=40,
    ),
    _controller(
        0x0104, "010306007800c800f000c5", load_voltage=12.0, load_current=2.0, load_power=240
    ),
    # printed without its header
    _controller(
        0x0107,
        seal(bytes.fromhex("0103060090009600d8")).hex(),
        solar_voltage=14.4,
        solar_current=1.5,
        solar_power=216,
    ),
    _controller(0x0111, "010304060808107d75", charged_today=1544, discharged_today=2064),
    _controller(
        0x011C, "010308000007d0000003e8550c", solar_energy_total=2000, load_energy_total=1000
    ),
    _controller(0x0120, "010302e4027285", load=True, load_brightness=100, charging_status="mppt"),
    _controller(0x0120, "010302e400f344", load=True, load_brightness=100, charging_status="off"),
)


def _dcdc(start: int, frame: str, **values: Any) -> Capture:
    return Capture(start, "RBC", frame, values, "dcdc")


# RBC2125DS-21W (its source left out the checksum), and two registers given as numbers
DCDC_CAPTURES: Final = (
    _dcdc(
        0x0120,
        seal(bytes.fromhex("ff030e0002000000000000010b00040000")).hex(),
        charging_status="mppt",
        faults=[],
        more_faults=[],
        output_power=267,
        mode="solar_and_alternator_to_house",
        ignition=False,
    ),
    _dcdc(0xE020, seal(bytes.fromhex("ff03020096")).hex(), reverse_charging_voltage=15.0),
    _dcdc(0xE038, seal(bytes.fromhex("ff030202bc")).hex(), solar_cut_off_current=7.0),
)


def _battery(start: int, frame: str, line: str = "SMART", **values: Any) -> Capture:
    return Capture(start, line, frame, values, "battery")


_HEALTHY: Final = {"faults": [], "charge_mosfet": True, "discharge_mosfet": True}
_NO_WARNING: Final = {"warnings": [], "heater": False, "fully_charged": False}
_ENABLED: Final = {"charge_enabled": True, "discharge_enabled": True, "charge_request": False}

# RBT50LFP48S on a hub (B1-B8), RBT12500LFP-SHBT (B10, B12), RBT100LFP12-BT (B13-B17), a Pro (B18, B20)
BATTERY_CAPTURES: Final = (
    _battery(
        5042,
        "30030c0000020c0000c2b20000c350ee9a",
        battery_current=0.0,
        battery_voltage=52.4,
        remaining_capacity=49.842,
        total_capacity=50.0,
        battery_percentage=99.7,
        battery_power=0.0,
    ),
    _battery(
        5104,
        "30033800000000000e0a00000000c032325242483441303531303230303030303130303031313952425435"
        "304c4650343853000000000056313034b77f",
        **_HEALTHY | _NO_WARNING | _ENABLED | {"fully_charged": True},
        other_alarms=[],
        cell_errors=[],
        full_charge_request=False,
        serial_number="22RBH4A051020000",
        model="RBT50LFP48S",
        version="V104",
    ),
    _battery(
        5000,
        "300344000f0022002200220022002200220022002200220023002300220022002200220000000f00820082"
        "008200820082008200820082008c008c008c008c008c008c008c0000799c",
        cells=15,
        **{f"cell_{n}_voltage": 3.5 if n in (10, 11) else 3.4 for n in range(1, 16)},
        **{f"cell_{n}_temperature": 13.0 if n <= 8 else 14.0 for n in range(1, 16)},
    ),
    _battery(
        5000,
        "300344000f0022002200220022002200220022002200220022002300220022002200220000000f00820082"
        "008200820082008200820082008c008c008c008c008c008c008c00001430",
        cells=15,
        **{f"cell_{n}_voltage": 3.5 if n == 11 else 3.4 for n in range(1, 16)},
        **{f"cell_{n}_temperature": 13.0 if n <= 8 else 14.0 for n in range(1, 16)},
    ),
    _battery(
        5042,
        "30030c014601f80000c2840000c34d96d6",
        battery_current=3.26,
        battery_voltage=50.4,
        remaining_capacity=49.796,
        total_capacity=49.997,
        battery_percentage=99.6,
        battery_power=164.3,
    ),
    _battery(
        5042,
        "ff030eff370085000746ee0007a1200018f9db",
        "RNGPRO",
        battery_current=-2.01,
        battery_voltage=13.3,
        remaining_capacity=476.91,
        total_capacity=500.0,
        battery_percentage=95.4,
        battery_power=-26.7,
        cycles=24,
    ),
    # its cell alarms say that four healthy cells are above their limit: not shown
    _battery(
        5100,
        "ff0310000000aa000000000000000000060000850f",
        "RNGPRO",
        **_HEALTHY | _NO_WARNING,
        cell_temperature_alarms=[],
        other_alarms=[],
    ),
    _battery(
        5042,
        "30030effaa008800017bb0000186a0000fe01e",
        battery_current=-0.86,
        battery_voltage=13.6,
        remaining_capacity=97.2,
        total_capacity=100.0,
        battery_percentage=97.2,
        battery_power=-11.7,
        cycles=15,
    ),
    _battery(
        5104,
        "3003380000000000060000000000c83230323130353236000000000000000020202020202020205242543130"
        "304c465031322d4254202030313030552f",
        **_HEALTHY | _NO_WARNING | _ENABLED,
        other_alarms=[],
        cell_errors=[],
        full_charge_request=True,
        serial_number="20210526",
        model="RBT100LFP12-BT",
        version="0100",
    ),
    _battery(
        5100,
        "3003100000000000000000000000000000000096a1",
        **_HEALTHY | _NO_WARNING | {"charge_mosfet": False, "discharge_mosfet": False},
        cell_voltage_alarms=[],
        cell_temperature_alarms=[],
        other_alarms=[],
    ),
    _battery(5122, "3003105242543130304c465031322d4254202058bb", model="RBT100LFP12-BT"),
    _battery(
        5042,
        "30030efff400850003304200033bda00063e33",
        "PRO",
        battery_current=-1.2,
        battery_voltage=13.3,
        remaining_capacity=208.962,
        total_capacity=211.93,
        battery_percentage=98.6,
        battery_power=-16.0,
        cycles=6,
    ),
    _battery(
        5100,
        "300310000000000000000000000000000e0000f762",
        "PRO",
        **_HEALTHY | _NO_WARNING,
        cell_voltage_alarms=[],
        cell_temperature_alarms=[],
        other_alarms=[],
    ),
    _battery(
        5042,
        "30030c000000840000f6bf000186a003f7",
        battery_current=0.0,
        battery_voltage=13.2,
        remaining_capacity=63.167,
        total_capacity=100.0,
        battery_percentage=63.2,
        battery_power=0.0,
    ),
    _battery(5104, "30030800000000000e00000fe8", **_HEALTHY | _NO_WARNING, other_alarms=[]),
    _battery(5130, "30030430303138c1bd", version="0018"),
)
ALL_ALARMS: Final = "300310ffffffffffffffffffffffffffffffffd6d1"
"""Synthetic: registers 5100-5107 of a battery with every bit set."""

# a live capture, the rest of the frame is cut off
SHUNT_CAPTURE: Final = Capture(
    0,
    "RTMShunt300",
    "4257011901001630a0240806a1230836a202137fa4ffddf1a60033e5a6100000a70003c5a7100000"
    "a80bc6b0a9000001aa04e800f8010000",
    {
        "battery_current": -8.719,
        "battery_voltage": 13.285,
        "starter_voltage": 0.0,
        "battery_percentage": 96.5,
        "battery_power": -115.8,
    },
    "shunt",
)

# the whole frame: the temperatures of a frost are made, their place and sign are another reader's
SHUNT_IN_FROST: Final = SHUNT_CAPTURE._replace(
    frame=SHUNT_CAPTURE.frame + "00" * 10 + "fff6" + "00" * 2 + "8000" + "00" * 38,
    values=SHUNT_CAPTURE.values | {"battery_temperature": -1.0},
)


def _srne(start: int, frame: str, **values: Any) -> Capture:
    return Capture(start, "SRNE", frame, values)


# a SMX-II without sun and mains, 213 W of load: it discharges; then its totals (log of 2023-02-10)
SRNE_LIVE: Final = _srne(
    0x0100,
    "010318001b0107004800000000000000000000000000000000000102ae",
    battery_percentage=27,
    battery_voltage=26.3,
    charging_current=-7.2,
    solar_voltage=0.0,
    solar_current=0.0,
    solar_power=0,
    charging_status="constant_current",
)
SRNE_COUNTERS: Final = _srne(
    0xF02D,
    "01032200aa006c003a003300000000000011ce0000048d000002df00000cf80000000000003183",
    charged_today=170,
    discharged_today=108,
    solar_energy_today=5.8,
    load_energy_today=5.1,
    operating_days=0,
    charged_total=4558,
    discharged_total=1165,
    solar_energy_total=73.5,
    load_energy_total=332.0,
)
SRNE_CAPTURES: Final = (SRNE_LIVE, SRNE_COUNTERS)

# a RINVTPGH110111S, whose model is in no list, without mains
OTHER_INVERTER: Final = Capture(
    4000,
    "other",
    "200314ffffffff04b0002b1770008400fb00108000ffff18ce",
    {
        "output_voltage": 120.0,
        "output_current": 0.43,
        "output_frequency": 60.0,
        "battery_voltage": 13.2,
        "temperature": 25.1,
        "status_alarms": [],
    },
)

MODBUS_CAPTURES: Final = (
    *INVERTER_CAPTURES,
    *SRNE_CAPTURES,
    OTHER_INVERTER,
    *CONTROLLER_CAPTURES,
    *DCDC_CAPTURES,
    *BATTERY_CAPTURES,
)
CAPTURES: Final = (*MODBUS_CAPTURES, SHUNT_CAPTURE, SHUNT_IN_FROST)

# What was sent for them, and what the vendor's app sends
REQUESTS: Final = {
    "200310d70008f645": ReadRequest(32, 4311, 8),
    "200310e90005564c": ReadRequest(32, 4329, 5),
    "ff0301000022d1f1": ReadRequest(255, 0x0100, 34),
    "0103000a0001a408": ReadRequest(1, 0x000A, 1),
    "0103000c0008840f": ReadRequest(1, 0x000C, 8),
    "010300140004040d": ReadRequest(1, 0x0014, 4),
    "010300180002440c": ReadRequest(1, 0x0018, 2),
    "010301000002c5f7": ReadRequest(1, 0x0100, 2),
    "010301010001d436": ReadRequest(1, 0x0101, 1),
    "0103010200026437": ReadRequest(1, 0x0102, 2),
    "01030104000345f6": ReadRequest(1, 0x0104, 3),
    "010301070003b5f6": ReadRequest(1, 0x0107, 3),
    "01030111000295f2": ReadRequest(1, 0x0111, 2),
    "0103011c00048433": ReadRequest(1, 0x011C, 4),
    "010301200001843c": ReadRequest(1, 0x0120, 1),
    "300313b20006654a": ReadRequest(48, 5042, 6),
    "300313f0001c4495": ReadRequest(48, 5104, 28),
    "300313880022455c": ReadRequest(48, 5000, 34),
    "300313b20007a48a": ReadRequest(48, 5042, 7),
    "300313ec0008855c": ReadRequest(48, 5100, 8),
    "300314020008e41d": ReadRequest(48, 5122, 8),
    "300313f00004449f": ReadRequest(48, 5104, 4),
    "3003140a0002e5d8": ReadRequest(48, 5130, 2),
    "ff030000000191d4": ReadRequest(255, 0, 1),
    "ff06010a00017c2a": WriteRequest(255, 0x010A, (1,)),
    "ff06010a0000bdea": WriteRequest(255, 0x010A, (0,)),
    "0106010a000169f4": WriteRequest(1, 0x010A, (1,)),
    "0106010a0000a834": WriteRequest(1, 0x010A, (0,)),
    "0106e0010064ee21": WriteRequest(1, 0xE001, (100,)),
    "0106e01d00082fca": WriteRequest(1, 0xE01D, (8,)),
    "ff06e00200c80b82": WriteRequest(255, 0xE002, (200,)),
    "ff06e0040000ea15": WriteRequest(255, 0xE004, (0,)),
}
# Echoes of writes; the document's own name another register than the one that was written.
ECHOES: Final = {
    "01060100000149f6": WriteRequest(1, 0x010A, (1,)),
    "0106010000008836": WriteRequest(1, 0x010A, (0,)),
    "010601010064d81d": WriteRequest(1, 0xE001, (100,)),
    "0106e01d00082fca": WriteRequest(1, 0xE01D, (8,)),
}

EXCEPTION_2: Final = "20830290fb"
EXCEPTIONS: Final = (EXCEPTION_2, "308302913e", "018302c0f1")

BROKEN: Final = {
    "byte count does not fit the length (manual, 0102 example)": "0103020020002873e7",
    "wrong length": "30030d000000880001 7bb0000186a00ceb",
    "wrong checksum": "30030c000000880001 7bb0000186a00deb",
    "odd byte count": "2003030001020304",
    "no bytes at all": "2003",
    "echo of a write": "01060100000149f6",
    "echo of a write of several": "0110e0150008e7cb",
    "another echo of a write of several": "0110e0050010e604",
}
