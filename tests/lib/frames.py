"""Frames captured from real inverters, with what they mean. CRCs are part of the captures."""

from typing import Any, Final, NamedTuple


class Capture(NamedTuple):
    """A response and what it must decode to."""

    start: int
    model: str
    frame: str
    values: dict[str, Any]


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
CAPTURES: Final = (RIV4835_LIVE, RIV4835_BATTERY, RIV4835_LOAD, ONE_WORD, RIV4835_MODEL)

MODEL_REQUEST: Final = "200310d70008f645"
EXCEPTION_2: Final = "20830290fb"

# Frames of other Renogy devices, for what is common to all: the framing.
OTHER_REPLIES: Final = (
    "ff03440064009000040e1900000000000000e8000400010000008f009100110000000100000000000000000000022b000100000000137c00000000000101900000000000040000a3d2",
    "30030c0000020c0000c2b20000c350ee9a",
    "010302e4027285",
)
BROKEN: Final = {
    "byte count does not fit the length (manual, 0102 example)": "0103020020002873e7",
    "wrong length": "30030d000000880001 7bb0000186a00ceb",
    "wrong checksum": "30030c000000880001 7bb0000186a00deb",
    "odd byte count": "2003030001020304",
    "no bytes at all": "2003",
    "echo of a write": "01060100000149f6",
}
