"""A supervisor in a process that has no Home Assistant."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.blupow.lib.blupow_ble.reader.process import LIB

HERE = Path(__file__).parent


@pytest.mark.usefixtures("real_sockets")
@pytest.mark.parametrize(
    "scene",
    [
        "outage",
        "recovery_by_each_step",
        "recoveries_that_fail",
        "stop_in_mid_reading",
        "forced_recovery",
        "device_that_is_heard_again",
        "daily_reconnect",
        "registers_on_request",
        "good_reading_between_heartbeats",
        "stop_when_a_recovery_has_failed",
        "polling_switched_off",
        "another_poll_is_faster",
        "stop_before_anything_is_done",
        "stop_while_a_device_is_waited_for",
        "daily_reconnect_during_a_recovery",
        "pause_that_ends_during_a_forced_recovery",
        "fault_of_our_own",
    ],
)
def test_without_home_assistant(scene: str) -> None:
    """By a clock that is moved by hand; warnings are errors."""
    paths = os.pathsep.join(filter(None, (str(LIB), str(HERE), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(HERE / "scenes.py"), scene],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unexpected = [line for line in done.stderr.splitlines() if "never" in line]
    assert unexpected == []
