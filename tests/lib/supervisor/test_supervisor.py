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
        "write_scenes:settings_of_a_device",
        "write_scenes:change_that_is_interrupted",
        "write_scenes:change_of_a_device_that_is_away",
        "write_scenes:changes_that_are_not_allowed",
        "schedule_scenes:a_day_by_schedule",
        "schedule_scenes:restart_in_the_middle_of_a_window",
        "schedule_scenes:crash_between_two_steps",
        "schedule_scenes:device_that_is_away_at_an_edge",
        "schedule_scenes:manual_change_in_a_window",
        "schedule_scenes:change_that_is_not_kept",
        "schedule_scenes:minimum_state_of_charge",
        "schedule_scenes:window_that_asks_for_what_is",
        "schedule_scenes:crash_at_the_end_of_a_window",
        "schedule_scenes:setting_that_could_not_be_put_back",
        "schedule_scenes:current_that_is_set_within_the_window",
        "schedule_scenes:window_after_a_hold_that_was_not_confirmed",
        "schedule_scenes:manual_change_at_the_end",
        "schedule_scenes:manual_change_while_the_end_waits",
        "schedule_scenes:manual_changes_before_and_after_the_end",
        "schedule_scenes:percentage_that_is_too_old",
        "write_scenes:stop_while_a_change_waits",
        "write_scenes:unit_that_is_asked_by_everybodys_address",
        "schedule_scenes:wish_that_is_so_already",
        "schedule_scenes:manual_change_while_a_try_is_pending",
        "schedule_scenes:schedule_that_is_changed_meanwhile",
        "schedule_scenes:schedule_that_is_set_again",
        "schedule_scenes:change_at_the_device_before_a_window",
        "schedule_scenes:dwell_after_a_lost_report",
        "schedule_scenes:what_can_never_be",
        "schedule_scenes:percentage_that_is_as_old_as_it_may_be",
        "schedule_scenes:setting_that_is_not_known",
        "schedule_scenes:what_is_told",
        "schedule_scenes:edge_between_two_readings",
        "schedule_scenes:current_that_is_changed_soon_after_the_source",
        "schedule_scenes:current_that_the_device_does_not_tell",
        "schedule_scenes:current_that_is_set_at_the_device",
        "schedule_scenes:manual_change_to_what_the_schedule_had_set",
        "schedule_scenes:tries_are_counted_anew",
        "write_scenes:wrong_values_cost_no_connection",
        "write_scenes:settings_at_long_intervals",
        "write_scenes:settings_without_polls",
        "write_scenes:plan_of_a_change",
        "write_scenes:change_of_another_unit",
        "write_scenes:change_that_nobody_heard_of",
        "write_scenes:change_of_a_unit_that_does_not_answer",
        "schedule_scenes:change_that_cannot_be_sent",
        "sequences:any_sequence",
        "outage",
        "reading_that_never_ends",
        "two_recoveries",
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
        "start_after_a_while",
        "what_is_noted_of_each_poll",
        "search",
        "unit_id_that_is_looked_at",
        "device_that_another_machine_reads",
        "unit_id_in_a_recovery",
        "device_that_is_heard_after_a_silence",
        "device_that_is_heard_all_the_time",
        "device_that_is_switched_off_at_times",
        "last_effort_of_a_long_interval",
        "readings_without_a_block",
        "unit_scenes:unit_that_does_not_answer",
        "unit_scenes:unit_in_the_place_of_another",
        "unit_scenes:device_with_another_serial_number",
        "unit_scenes:unit_id_that_is_learned",
        "unit_scenes:unit_that_is_found_by_the_way",
    ],
)
def test_without_home_assistant(scene: str) -> None:
    """By a clock that is moved by hand; warnings are errors."""
    file, _, name = scene.rpartition(":")
    paths = os.pathsep.join(filter(None, (str(LIB), str(HERE), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(HERE / f"{file or 'scenes'}.py"), name],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unexpected = [line for line in done.stderr.splitlines() if "never" in line]
    assert unexpected == []
