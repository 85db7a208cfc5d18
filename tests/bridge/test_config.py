"""The configuration: what is wrong is told by line, and nothing is taken for something else."""

from pathlib import Path

from blupow_ble.profiles import PROFILES
from blupow_ble.supervisor.reconnection import Strategy
from blupow_bridge.config import ConfigError, line_of, load
from hypothesis import given, strategies as st
import pytest

WHOLE = """\
name = "Van"
data = "/tmp/van"
time_zone = "Europe/Berlin"

[http]
host = "0.0.0.0"
port = 9000

[store]
url = "postgresql://blupow:secret@db/blupow"
raw_days = 7

[mqtt]
host = "broker"
username = "van"
password = "hidden"
tls = true
strategy = 2

[[devices]]
name = "Inverter"
address = "c4-d3-6a-66-7e-d4"
profile = "inverter"
model = "RIV1230RCH"
update_interval = 30
daily_reconnect = 03:30:00
allow_changes = true

[[devices]]
name = "Hub"
address = "C4:D3:6A:66:7E:D5"
profile = "battery"
unit_id = 48

[[devices.units]]
unit_id = 49
profile = "battery"
serial_number = "123"
"""


def read(tmp_path: Path, text: str) -> list[str]:
    """Return what is wrong with a configuration, without the folder."""
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.removeprefix(f"{tmp_path}/") for line in caught.value.lines]


def test_whole_file(tmp_path: Path) -> None:
    """Each part is taken."""
    path = tmp_path / "bridge.toml"
    path.write_text(WHOLE)
    config = load(path)
    assert (config.name, config.time_zone, config.data) == (
        "Van",
        "Europe/Berlin",
        Path("/tmp/van"),
    )
    assert (config.http.host, config.http.port) == ("0.0.0.0", 9000)
    assert config.store.url is not None
    assert config.store.url.get_secret_value() == "postgresql://blupow:secret@db/blupow"
    assert "secret" not in repr(config)
    assert config.mqtt is not None
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == "hidden"
    assert "hidden" not in repr(config)
    assert (config.mqtt.address, config.mqtt.strategy) == (("broker", 8883), Strategy.NEW_CLIENT)
    inverter, hub = config.devices
    assert (inverter.id, inverter.address) == ("c4d36a667ed4", "C4:D3:6A:66:7E:D4")
    assert inverter.options.update_interval == 30
    assert inverter.options.daily_reconnect is not None
    assert inverter.options.daily_reconnect.isoformat() == "03:30:00"
    assert inverter.options.allow_changes
    assert hub.options.update_interval == 60
    own, other = hub.description.units
    assert (own.key, own.unit_id) == ("", 48)
    assert (other.key, other.unit_id, other.serial_number) == ("49", 49, "123")
    assert other.profile is PROFILES["battery"]


def test_defaults(tmp_path: Path) -> None:
    """An empty file is one: no device, this machine alone, SQLite, 30 days of readings."""
    path = tmp_path / "bridge.toml"
    path.write_text("")
    config = load(path)
    assert config.devices == ()
    assert (config.http.host, config.http.port, config.http.announce) == ("127.0.0.1", 8126, True)
    assert config.store.url is None
    assert (config.store.raw_days, config.store.hourly_days) == (30, 0)
    assert config.mqtt is None
    path.write_text('[mqtt]\nhost = "broker"')
    mqtt = load(path).mqtt
    assert mqtt is not None
    assert (mqtt.address, mqtt.strategy) == (("broker", 1883), Strategy.BACK_OFF)
    assert (mqtt.topic_prefix, mqtt.discovery_prefix) == ("blupow", "homeassistant")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("name = Van", ["bridge.toml:1: no TOML: Invalid value"]),
        (
            '[http]\nport = 70000\n[[devices]]\nname = "a"\nprofile = "battery"\naddress = "x"',
            [
                "bridge.toml:2: http.port: Input should be less than or equal to 65535 (70000)",
                (
                    "bridge.toml:6: devices.0.address: no Bluetooth address; one looks like "
                    "C4:D3:6A:66:7E:D4 ('x')"
                ),
            ],
        ),
        (
            "[mqtt]\nport = 1883",
            ["bridge.toml:1: mqtt.host is missing"],
        ),
        (
            '[mqtt]\nhost = "a"\nstrategy = 5',
            ["bridge.toml:3: mqtt.strategy: Input should be 1, 2, 3 or 4 (5)"],
        ),
        (
            '[mqtt]\nhost = "a"\ntopic_prefix = "a/+"',
            [
                (
                    "bridge.toml:3: mqtt.topic_prefix: no beginning of a topic; one looks like "
                    "blupow or vans/blupow ('a/+')"
                )
            ],
        ),
        (
            '[mqtt]\nhost = "a"\nusername = "b"\npassword = "c"\npassword_file = "/d"',
            [("bridge.toml:1: mqtt: give one of password, password_file, and password_command")],
        ),
        (
            '[mqtt]\nhost = "a"\nusername = "b"\npassword = 12345678',
            ["bridge.toml:4: mqtt.password: Input should be a valid string"],
        ),
        (
            '[mqtt]\nhost = "192.168.1..10"',
            [("bridge.toml:2: mqtt.host: no name or address of a machine ('192.168.1..10')")],
        ),
        (
            '[mqtt]\nhost = "a"\npassword = "c"',
            ["bridge.toml:1: mqtt: a password needs a username"],
        ),
        (
            '[mqtt]\nhost = "a"\ntls = true\nkey = "/d"',
            ["bridge.toml:1: mqtt: a client certificate needs both `certificate` and `key`"],
        ),
        (
            '[mqtt]\nhost = "a"\nca_file = "/d"',
            ["bridge.toml:1: mqtt: certificates need `tls = true`"],
        ),
        (
            "[store]\nraw_day = 3",
            ["bridge.toml:2: there is no store.raw_day; known are: url, raw_days, hourly_days"],
        ),
        (
            '[[devices]]\nname = "a"\nvirtual = true',
            ["bridge.toml:1: devices.0.profile is missing"],
        ),
        (
            '[[devices]]\nname = "a"\nvirtual = true\nprofile = "inverte"',
            [
                (
                    "bridge.toml:4: devices.0.profile: unknown profile; there are: "
                    f"{', '.join(PROFILES)} ('inverte')"
                )
            ],
        ),
        (
            '[[devices]]\nname = "a"\nprofile = "inverter"',
            ["bridge.toml:1: devices.0: a device has an address, or `virtual = true`"],
        ),
        (
            '[[devices]]\nname = "a"\nvirtual = true\nprofile = "shunt"\ngrace_time = 20',
            ["bridge.toml:1: devices.0: grace_time must not be shorter than cache_time"],
        ),
        (
            '[[devices]]\nname = "a"\nvirtual = true\nprofile = "dcdc"\nmodel = "X"',
            ["bridge.toml:1: devices.0: unknown model 'X'; models of dcdc are: "],
        ),
        (
            (
                '[[devices]]\nname = "a"\nvirtual = true\nprofile = "dcdc"\n'
                '[[devices]]\nname = "b"\nvirtual = true\nprofile = "dcdc"'
            ),
            ["bridge.toml:1: the file: two devices have the same address: virtual_dcdc"],
        ),
        (
            (
                '[[devices]]\nname = "a"\naddress = "C4:D3:6A:66:7E:D5"\nprofile = "battery"\n'
                '[[devices.units]]\nunit_id = 49\nprofile = "battery"\n'
                '[[devices.units]]\nunit_id = 49\nprofile = "battery"'
            ),
            ["bridge.toml:1: devices.0: two units have the same unit_id"],
        ),
        (
            (
                '[[devices]]\nname = "a"\naddress = "C4:D3:6A:66:7E:D5"\nprofile = "battery"\n'
                '[[devices.units]]\nunit_id = 49\nprofile = "battery"\n'
                "[[devices.units]]\nunit_id = 300\nprofile = 'battery'"
            ),
            ["bridge.toml:9: devices.0.units.1.unit_id: Input should be less than or equal to 247"],
        ),
        (
            'time_zone = "Mars/Base"',
            ["bridge.toml:1: time_zone: unknown time zone; one looks like"],
        ),
        (
            '[http]\ncertificate = "/x.pem"',
            ["bridge.toml:1: http: TLS needs both `certificate` and `key`"],
        ),
        (
            '[http]\ncertificate = "/x.pem"\nkey = "/y.pem"',
            ["bridge.toml:1: http: there is no file /x.pem"],
        ),
        (
            '[store]\nurl = "mysql://x"',
            ["bridge.toml:1: store: url must begin with sqlite:// or postgresql://"],
        ),
    ],
)
def test_errors(tmp_path: Path, text: str, lines: list[str]) -> None:
    """Each with its line, and with what may stand there."""
    found = read(tmp_path, text)
    assert len(found) == len(lines)
    for line, wanted in zip(found, lines, strict=True):
        assert line.startswith(wanted)


def test_secret_in_no_error(tmp_path: Path) -> None:
    """An error tells nothing of a database's password."""
    lines = read(tmp_path, '[store]\nurl = "mysql://blupow:hunter2@db"\n')
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff", "it is no UTF-8 text")]
)
def test_file_that_is_none(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """It is told why it cannot be read."""
    path = tmp_path / "bridge.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load(path)


def test_environment_overrules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For containers: also what is nested; an error names the variable."""
    path = tmp_path / "bridge.toml"
    path.write_text(WHOLE)
    monkeypatch.setenv("BLUPOW_STORE__URL", "postgresql://other/x")
    monkeypatch.setenv("BLUPOW_NAME", "Boat")
    config = load(path)
    assert config.name == "Boat"
    assert config.store.url is not None
    assert config.store.url.get_secret_value() == "postgresql://other/x"
    assert config.store.raw_days == 7
    monkeypatch.setenv("BLUPOW_HTTP__PORT", "much")
    with pytest.raises(ConfigError) as caught:
        load(path)
    (line,) = caught.value.lines
    assert line.startswith("environment variable BLUPOW_HTTP__PORT: http.port: ")
    monkeypatch.setenv("BLUPOW_HTTP", "no json")
    with pytest.raises(ConfigError, match="environment variables BLUPOW_"):
        load(path)


NAMES = st.sampled_from(["name", "http", "port", "devices", "units", "x"])


@given(text=st.text(), location=st.lists(st.one_of(NAMES, st.integers(0, 3))).map(tuple))
def test_line_of_anything(text: str, location: tuple[str | int, ...]) -> None:
    """It is a line of the text, whatever stands there."""
    assert 1 <= line_of(text, location) <= max(1, len(text.splitlines()))


def test_line_of_dotted_keys() -> None:
    """Of a key in a table of a list, and of a dotted one; of what is not there, that of its table."""
    text = '[[devices]]\n\n[[devices]]\nname = "b"\n[devices.extra]\na.b = 1\n'
    assert line_of(text, ("devices", 1, "name")) == 4
    assert line_of(text, ("devices", 1, "extra", "a", "b")) == 6
    assert line_of(text, ("devices", 1, "address")) == 3
    assert line_of(text, ("devices", 0, "name")) == 1
    assert line_of(text, ("other",)) == 1
