"""The command line for people."""

import asyncio
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from custom_components.blupow.lib.blupow_ble import cli, virtual
from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.process import LIB
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualShunt
from simulator.control import ControlClient

from ..helpers.frames import (
    CAPTURES,
    EXCEPTION_2,
    RIV4835_BATTERY,
    RIV4835_LIVE,
    SHUNT_CAPTURE,
    Capture,
)
from ..helpers.simulated import INVERTER_ADDRESS


def test_command_as_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed command takes its arguments from the command line, and ends with their exit code."""
    capture = CAPTURES[0]
    typed = ["decode", "--profile", capture.profile, "--model", capture.model]
    start = ["--start", str(capture.start), "--json"]
    monkeypatch.setattr(sys, "argv", ["blupow", *typed, *start, capture.frame])
    assert cli.command() == 0
    assert json.loads(capsys.readouterr().out)["values"] == capture.values
    monkeypatch.setattr(sys, "argv", ["blupow", *typed, *start, "no hex"])
    assert cli.command() == cli.EXIT_FAILED


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: str(capture.start))
def test_decode_json(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    """The documented form, with the values of the captures."""
    arguments = ["decode", "--profile", capture.profile, "--model", capture.model]
    assert cli.main([*arguments, "--start", str(capture.start), capture.frame, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "profile": capture.profile,
        "model": capture.model,
        "start": capture.start,
        "values": capture.values,
        "unknown": {},
    }


def test_decode_fragments_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Fragments are joined, registers may be hexadecimal, units are shown."""
    frame = RIV4835_LIVE.frame
    arguments = ["decode", "--profile", "inverter", "--start", "0xfa0", frame[:20], frame[20:]]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "battery_voltage   51.2 V" in lines
    assert "temperature       55.1 °C" in lines


def test_decode_without_a_model_is_the_base(capsys: pytest.CaptureFixture[str]) -> None:
    """The base takes the current as it is sent."""
    arguments = ["decode", "--profile", "inverter", "--start", "4327", RIV4835_BATTERY.frame]
    assert cli.main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "RIV1230RCH"
    assert answer["values"]["charging_current"] == -49.5


def test_decode_faults_and_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lists are written out; a register without a meaning is reported; dropped values too."""
    base = ["decode", "--profile", "inverter", "--start"]
    assert cli.main([*base, "4398", "2003080000000000000000850f"[:22] + "b30b"]) == 1
    capsys.readouterr()
    faults = seal(bytes.fromhex("200308000e001500000000")).hex()
    assert cli.main([*base, "4398", faults]) == 0
    assert capsys.readouterr().out == "faults  inverter_overload, fan_fault\n"
    none = seal(bytes.fromhex("2003080000000000000000")).hex()
    assert cli.main([*base, "4398", none]) == 0
    assert capsys.readouterr().out == "faults  none\n"
    assert cli.main([*base, "50", seal(bytes.fromhex("2003020007")).hex()]) == 0
    assert capsys.readouterr().out == "no known value in registers 50-50\n"
    assert cli.main([*base, "4327", seal(bytes.fromhex("20030200c8")).hex()]) == 0
    assert capsys.readouterr().err == "dropped: battery_percentage cannot have that value\n"


def test_numbers_without_a_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that no document names is reported by its number."""
    frame = seal(bytes.fromhex("010302000b")).hex()
    arguments = ["decode", "--profile", "controller", "--start", "0x0120", frame]
    assert cli.main(arguments) == 0
    reported = capsys.readouterr()
    assert reported.err == "unknown: charging_status has no name for 11\n"
    device = virtual.virtual_device("controller")
    device.overrides = {0x0120: 11}
    monkeypatch.setattr(virtual, "virtual_device", lambda _: device)
    assert cli.main(["read", "--virtual", "controller"]) == 0
    assert "unknown: charging_status has no name for 11\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (RIV4835_LIVE.frame[:-1] + "0", "bad frame: checksum is 3520, should be 352f"),
        (RIV4835_LIVE.frame[:-4], "bad frame: 23 bytes, but the header announces 25"),
        (EXCEPTION_2, "bad frame: the device refused with exception 2 (no such register"),
        ("xyz", "bad frame: not hexadecimal digits"),
        ("2003", "bad frame: only 2 bytes"),
    ],
)
def test_decode_refuses(frame: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, with the reason."""
    arguments = ["decode", "--profile", "inverter", "--start", "4000", frame, "--json"]
    assert cli.main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(reason)


def test_decode_needs_a_start(capsys: pytest.CaptureFixture[str]) -> None:
    """A reply does not say which registers it holds; a shunt's frame does not need it."""
    assert cli.main(["decode", "--profile", "battery", RIV4835_LIVE.frame]) == 1
    assert "--start is needed" in capsys.readouterr().err
    assert cli.main(["decode", "--profile", "shunt", SHUNT_CAPTURE.frame]) == 0
    assert "the frame is cut: 56 of 110 bytes" in capsys.readouterr().err
    whole = VirtualShunt(lambda: 0.0).frame()
    assert cli.main(["decode", "--profile", "shunt", whole.hex()]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("42", "header"),
        ("4257010b" + "00" * 106, "header"),
        (SHUNT_CAPTURE.frame + "00" * 55, "111 bytes"),
    ],
)
def test_decode_refuses_frames_of_a_shunt(
    frame: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason."""
    assert cli.main(["decode", "--profile", "shunt", frame]) == 1
    assert reason in capsys.readouterr().err


def test_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    """The known ones are listed."""
    arguments = ["decode", "--profile", "inverter", "--model", "X1", "--start", "4000", "20"]
    assert cli.main(arguments) == 1
    assert "inverter models are: RIV1230RCH, RIV4835CSH1S, RIV1230PCH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["decode", "--profile", "toaster", "--start", "1", "00"], "unknown profile 'toaster'"),
        (["decode", "--profile", "inverter", "--start", "x", "00"], "'x' is no register"),
        (["decode", "--profile", "inverter", "--start", "70000", "00"], "no register"),
        (["read", "--address", "12:34"], "is no Bluetooth address"),
        (["read", "--virtual", "inverter", "--unit-id", "0"], "'0' is not a unit ID"),
        (["read", "--virtual", "inverter", "--unit-id", "x"], "is not a unit ID"),
        (["read", "--virtual", "inverter", "--timeout", "soon"], "is no time"),
        (["read"], "one of the arguments --address --virtual is required"),
        (["scan", "--time", "-1"], "is no time"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence, and exit code 2."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


def test_read_virtual_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The documented form."""
    assert cli.main(["read", "--virtual", "inverter", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"profile", "values", "unknown", "failed", "timings"}
    assert answer["failed"] == {}
    assert set(answer["timings"]) == {"connect", "read"}
    assert answer["values"]["model"] == "RIV1230RCH-SPS"
    assert 50 < answer["values"]["battery_percentage"] < 95


def test_read_virtual_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Values with units; blocks that were not answered."""
    arguments = ["read", "--virtual", "inverter", "--model", "RIV1230PCH", "--unit-id", "32"]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "input_voltage" in output
    assert "unit 32, connected in 0.00 s" in output


def test_read_of_a_silent_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason, with its code."""
    assert cli.main(["read", "--virtual", "inverter", "--unit-id", "9"]) == 1
    assert capsys.readouterr().err == "unit 9 did not answer within 2 s [no_response]\n"


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends without a traceback."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_scan", interrupt)
    assert cli.main(["scan"]) == 130


def test_decode_needs_no_bluetooth_library() -> None:
    """It runs with nothing but Python."""
    command = [sys.executable, "-S", "-P", "-m", "blupow_ble", "decode", "--profile", "inverter"]
    done = subprocess.run(
        [*command, "--start", "4000", RIV4835_LIVE.frame],
        env={"PYTHONPATH": str(LIB)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "battery_voltage" in done.stdout


def test_help_without_a_command() -> None:
    """On a terminal the bare command explains itself; without one it waits for a request."""
    pair = os.openpty()
    done = subprocess.run(
        process_module.child_command(),
        env=process_module.child_environment(),
        stdin=pair[1],
        capture_output=True,
        text=True,
        check=False,
    )
    for descriptor in pair:
        os.close(descriptor)
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_scan_leaves_others_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless all are asked for; the strongest comes first."""
    names = {"00:00:00:00:00:01": ("Kettle", -40), "00:00:00:00:00:02": ("BTRIC1", -70)}

    async def scan(_: float) -> dict:
        return {
            address: (
                SimpleNamespace(name=name),
                SimpleNamespace(local_name=None, rssi=rssi),
            )
            for address, (name, rssi) in names.items()
        }

    monkeypatch.setattr("custom_components.blupow.lib.blupow_ble.reader.discovery.scan", scan)
    assert cli.main(["scan", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["BTRIC1"]
    assert cli.main(["scan", "--all", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["Kettle", "BTRIC1"]


async def blupow(*arguments: str) -> tuple[int, str, str]:
    """Run the command line as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(*process_module.child_command(), *arguments),
        env=process_module.child_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_scan(simulated: ControlClient) -> None:
    """The inverter is listed with its family, for people and as JSON."""
    code, output, _ = await blupow("scan", "--time", "1")
    assert code == 0
    address, *_, family, name = output.split()
    assert (address, family, name) == (INVERTER_ADDRESS, "inverter", "BTRIC134000035")
    code, output, _ = await blupow("scan", "--time", "1", "--all", "--json")
    assert code == 0
    (row,) = json.loads(output)
    assert row["address"] == INVERTER_ADDRESS
    assert row["profile"] == "inverter"
    assert -100 <= row["rssi"] <= -20


async def test_scan_hears_nothing(simulated: ControlClient) -> None:
    """It says what may be the matter; JSON stays JSON."""
    await simulated.fault("out_of_range")
    code, output, errors = await blupow("scan", "--time", "0.5", "--json")
    assert code == 1
    assert json.loads(output) == []
    assert "no Renogy device was heard within 0.5 s" in errors


async def test_read_by_address(simulated: ControlClient) -> None:
    """A device that BlueZ does not know yet is found by a scan."""
    code, output, errors = await blupow("read", "--address", INVERTER_ADDRESS.lower())
    assert (code, errors) == (0, "")
    assert "battery_voltage" in output
    assert await simulated.links() == []


async def test_read_of_a_device_that_is_not_there(simulated: ControlClient) -> None:
    """The scan ends, and the reason is reported."""
    code, _, errors = await blupow("read", "--address", "00:00:00:00:00:09", "--timeout", "1")
    assert code == 1
    assert errors == "00:00:00:00:00:09 was not heard within 1 s [not_advertising]\n"


async def test_no_adapter(simulated: ControlClient) -> None:
    """Neither a scan nor a read ends in a traceback."""
    await simulated.fault("adapter_gone")
    for arguments in (("scan", "--time", "1"), ("read", "--address", "00:00:00:00:00:09")):
        code, _, errors = await blupow(*arguments)
        assert code == 1
        assert errors.rstrip().endswith("[adapter_unavailable]")


async def test_no_bus_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is no address ends in a sentence too."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "nonsense")
    for arguments in (("scan", "--time", "1"), ("read", "--address", "00:00:00:00:00:09")):
        code, _, errors = await blupow(*arguments)
        assert code == 1
        assert errors.rstrip().endswith("[adapter_unavailable]")
        assert "Traceback" not in errors


async def test_blocks_that_are_not_answered_are_listed(simulated: ControlClient) -> None:
    """A reading that lacks a block says so."""
    await simulated.fault("slow", seconds=2.6, times=1)
    code, output, errors = await blupow("read", "--address", INVERTER_ADDRESS, "--unit-id", "32")
    assert (code, errors) == (0, "")
    assert "unit 32" in output
