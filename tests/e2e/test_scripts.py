"""The scripts for people, run as they run them."""

import json
from pathlib import Path
import re
import signal
import subprocess
import sys

import pytest

from simulator.bus import address

from ..helpers.processes import readers_on
from ..helpers.simulated import run_simulator

ROOT = Path(__file__).resolve().parent.parent.parent
LOG = """\
2026-11-21 08:00:00.001 INFO (MainThread) [homeassistant.core] Starting
2026-11-21 08:00:01.002 INFO (MainThread) [custom_components.blupow.coordinator] [cache] BTRIC1: the last reading serves
\x1b[33m2026-11-21 08:00:02.003 WARNING (MainThread) [custom_components.blupow.lib.blupow_ble.process] [reader] a remark\x1b[0m
2026-11-21 08:00:03.004 INFO (MainThread) [custom_components.blupow.coordinator] [poll] BTRIC1: fresh readings again
2026-11-21 08:00:04.005 INFO (MainThread) [custom_components.other] [poll] not ours
"""


def run(script: str, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_stability_test() -> None:
    """Ten good runs: exit 0, with all figures."""
    done = run("stability_test.py", "--simulate", "--runs", "10", "--interval", "0", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["runs"], report["successes"], report["success_rate"]) == (10, 10, 100.0)
    assert report["errors"] == {}
    assert report["leaked"] == {"processes": 0, "links": 0, "descriptors": 0}
    assert report["runtime_warnings"] == report["failings"] == []
    for figures in (report["connect_s"], report["total_s"]):
        assert 0 < figures["p50"] <= figures["p95"] <= figures["max"]
        assert figures["mean"] <= figures["max"]


def test_stability_test_with_a_fault() -> None:
    """An unresponsive device: exit 1, and the error is named."""
    arguments = ["--simulate", "--runs", "2", "--interval", "0", "--fault", "silent"]
    done = run("stability_test.py", *arguments, "--unit-id", "32", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["errors"] == {"no_response": 2}
    assert report["success_rate"] == 0
    assert report["connect_s"] is None
    assert "only 0 % of the runs succeeded" in report["failings"][0]
    assert report["leaked"] == {"processes": 0, "links": 0, "descriptors": 0}


def test_stability_test_for_people() -> None:
    """A report in words."""
    done = run("stability_test.py", "--simulate", "--runs", "1")
    assert done.returncode == 0
    assert "1 good (100 %)" in done.stdout
    assert done.stdout.endswith("GOOD\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "one of the arguments --address --simulate is required"),
        (["--simulate", "--runs", "0"], "'0' is not within 1-"),
        (["--simulate", "--runs", "ten"], "'ten' is not within"),
        (["--address", "inverter"], "is no Bluetooth address"),
        (["--address", "C4:D3:6A:00:00:35", "--fault", "silent"], "--fault needs --simulate"),
        (["--simulate", "--fault", "fire"], "invalid choice: 'fire'"),
    ],
)
def test_stability_test_with_wrong_arguments(arguments: list[str], text: str) -> None:
    """A sentence, no traceback."""
    done = run("stability_test.py", *arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_bench() -> None:
    """Two inverters for a short while: what is measured is reported."""
    done = run("bench.py", "--devices", "2", "--interval", "10", "--minutes", "0.5")
    assert done.returncode == 0, done.stderr
    reported = dict(re.findall(r"^(\S.*?) {2,}(\S.*)$", done.stdout, re.MULTILINE))
    polls, failed = re.fullmatch(r"(\d+), (\d+) failed", reported["polls"]).groups()
    assert int(polls) >= 4
    assert int(failed) == 0
    assert reported["connections at a time"] == "{'hci0': 1}"
    assert reported["programs that have scanned"] == "2, one for each start"
    for whose in ("BluPow", "others"):
        assert re.fullmatch(r"longest \d+\.\d ms", reported[f"event loop held by {whose}"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--devices", "0"], "'0' is not within 1-50"),
        (["--interval", "5"], "'5' is not within 10-300"),
        (["--minutes", "long"], "'long' is not within 0.1-600"),
    ],
)
def test_bench_with_wrong_arguments(arguments: list[str], text: str) -> None:
    """A sentence, no traceback."""
    done = run("bench.py", *arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_standalone_inverter_test() -> None:
    """Step by step, to the values."""
    done = run("standalone_inverter_test.py", "--simulate")
    assert done.returncode == 0, done.stderr
    assert "requests go to ffd1, replies come from fff1" in done.stdout
    assert "unit 32, model RIV1230RCH" in done.stdout
    assert done.stdout.endswith("the inverter can be read\n")
    done = run("standalone_inverter_test.py", "--virtual")
    assert done.returncode == 0
    assert "battery_voltage" in done.stdout


def test_standalone_inverter_test_with_a_fault() -> None:
    """The step that failed, and why."""
    done = run("standalone_inverter_test.py", "--simulate", "--fault", "refuses")
    assert done.returncode == 1
    assert done.stderr.startswith("   FAILED: held_by_other: the device refused the connection")
    assert "Traceback" not in done.stderr


def test_tail_log() -> None:
    """BluPow's lines alone, without colors, and a summary."""
    done = run("tail_log.py", "-", text=LOG)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "2026-11-21 08:00:01.002 INFO    [cache] BTRIC1: the last reading serves",
        "2026-11-21 08:00:02.003 WARNING [reader] a remark",
        "2026-11-21 08:00:03.004 INFO    [poll] BTRIC1: fresh readings again",
        "3 lines, from 2026-11-21 08:00:01.002 to 2026-11-21 08:00:03.004",
        "by kind:  cache 1, reader 1, poll 1",
        "by level: info 2, warning 1",
    ]
    assert "1 lines" in run("tail_log.py", "-", "--kind", "cache", text=LOG).stdout
    assert "no line of BluPow" in run("tail_log.py", "-", text="nothing\n").stdout


def test_tail_log_follows_a_file(tmp_path: Path) -> None:
    """Lines that are added are shown; Ctrl-C ends with the summary."""
    log = tmp_path / "home-assistant.log"
    log.write_text(LOG)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "tail_log.py"), str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)][2].endswith("fresh readings again\n")
    with log.open("a") as file:
        file.write(LOG.replace("08:00:01", "09:00:01"))
    added = [process.stdout.readline() for _ in range(3)]
    assert added[0].startswith("2026-11-21 09:00:01")
    # Home Assistant begins a new file at each start
    log.rename(tmp_path / "home-assistant.log.1")
    log.write_text(LOG.replace("08:00:01", "10:00:01"))
    assert process.stdout.readline().startswith("2026-11-21 10:00:01")
    process.send_signal(signal.SIGINT)
    assert "by kind:" in process.stdout.read()
    assert process.wait() == 0
    process.stdout.close()
    assert run("tail_log.py", str(log), "--no-follow").returncode == 0
    assert run("tail_log.py", str(tmp_path / "none")).stderr.startswith(
        "tail_log: there is no file"
    )


def test_discover(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inverters that are heard."""
    for bus_address in run_simulator("--fast", "--inverters", "2"):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_address)
        done = run("discover.py", "--time", "1")
        assert done.returncode == 0, done.stderr
        assert "BTRIC134000035" in done.stdout
        assert "BTRIC134000036" in done.stdout
        assert readers_on(bus_address) == []


def test_simulator_for_people(tmp_path: Path) -> None:
    """It can be looked at and disturbed from another terminal; nonsense is answered in words."""

    def simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "simulator", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )

    assert "out_of_range" in simulator("--help").stdout
    assert "is not within 1-50" in simulator("--inverters", "51").stderr
    assert "--do needs --folder" in simulator("--do", "{}").stderr
    for bus_address in run_simulator("--fault", "silent"):
        folder = str(Path(bus_address.removeprefix("unix:path=")).parent)
        assert address(Path(folder)) == bus_address
        state = json.loads(simulator("--folder", folder, "--do", '{"op": "state"}').stdout)
        (device,) = state["devices"].values()
        assert device["name"] == "BTRIC134000035"
        assert "silent" in device["faults"]
        done = simulator("--folder", folder, "--do", '{"op": "dance"}')
        assert done.returncode == 1
        assert done.stderr == "simulator: ValueError: unknown operation 'dance'\n"
        assert simulator("--folder", folder, "--do", "no json").returncode == 1
    done = simulator("--folder", str(tmp_path), "--do", '{"op": "state"}')
    assert done.returncode == 1
    assert "no simulator answers" in done.stderr
