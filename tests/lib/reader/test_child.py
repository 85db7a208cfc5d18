"""The child by itself: what it makes of its input, and how it ends."""

import asyncio
import json
import logging
from pathlib import Path
import shlex
import subprocess

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.reader import process as process_module
from custom_components.blupow.lib.blupow_ble.reader.child import Job, JsonLines, emit
from custom_components.blupow.lib.blupow_ble.reader.messages import MAX_LINE, Device, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan

REQUEST = Request(
    id=7,
    device=Device(address="virtual", name="Virtual"),
    units=(UnitPlan(profile=INVERTER, unit_id=32, blocks=()),),
    connect_timeout=5,
    deadline=25,
)


def child(text: bytes) -> tuple[int, list[dict], str]:
    """Give a child its whole input; return its exit code, its lines, and what it logged."""
    done = subprocess.run(
        process_module.child_command(),
        env=process_module.child_environment(),
        input=text,
        capture_output=True,
        check=False,
    )
    return (
        done.returncode,
        [json.loads(line) for line in done.stdout.splitlines()],
        done.stderr.decode(),
    )


def test_no_request() -> None:
    """A parent that is gone at once: it says hello and ends."""
    code, lines, log = child(b"")
    assert code == 143
    assert [line["event"] for line in lines] == ["hello"]
    assert log == ""


@pytest.mark.parametrize("redirection", ["</dev/null", '<"$1"', "<&-"])
def test_input_that_is_no_parent(redirection: str, tmp_path: Path) -> None:
    """Started by a service or with a file: it tells its usage, it does not wait without end."""
    file = tmp_path / "request.json"
    file.write_bytes(REQUEST.encode())
    done = subprocess.run(
        (
            "sh",
            "-c",
            f"exec {shlex.join(process_module.child_command())} {redirection}",
            "sh",
            file,
        ),
        env=process_module.child_environment(),
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"usage: blupow" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"hello\n", "Expecting value"),
        (b"{}\n", "not a message of version 1"),
        (b"a" * (MAX_LINE + 2) + b"\n", "line is too long"),
    ],
    ids=["no json", "no version", "too long"],
)
def test_bad_request(text: bytes, message: str) -> None:
    """It says what is wrong, and ends with a code of its own."""
    code, lines, log = child(text)
    assert code == 2
    assert lines[-1]["code"] == "bad_request"
    assert lines[-1]["id"] is None
    assert message in lines[-1]["message"]
    assert log == ""


def test_parent_that_is_gone_after_its_request() -> None:
    """Nobody waits for the answer: the child gives up."""
    code, lines, log = child(REQUEST.encode())
    assert code == 143
    assert log == ""
    assert "error" not in [line["event"] for line in lines]


def test_parent_that_does_not_listen() -> None:
    """A closed pipe ends in no traceback."""
    process = subprocess.Popen(
        process_module.child_command(),
        env=process_module.child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    _, log = process.communicate(REQUEST.encode())
    assert log == b""
    assert process.returncode in (0, 143)


def test_hung_child_ends_by_its_alarm() -> None:
    """Even a blocked event loop does not outlive the deadline."""
    code = (
        "import sys, time; sys.argv = ['x'];"
        "from blupow_ble.reader import child, reading;"
        "child.ALARM_MARGIN = 0;"
        "reading.Reader.read = lambda self: time.sleep(60);"
        "child.main()"
    )
    done = subprocess.Popen(
        (process_module.child_command()[0], "-P", "-c", code),
        env=process_module.child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert done.stdin is not None
    assert done.stdout is not None
    line = REQUEST.encode().replace(b'"deadline":25', b'"deadline":1')
    done.stdin.write(line)
    done.stdin.flush()
    assert done.wait() == -14
    done.stdin.close()
    done.stdout.close()


async def test_stop_twice() -> None:
    """A parent closes its end and sends SIGTERM: the second does not cut the disconnect short."""
    job = Job(REQUEST)
    await asyncio.sleep(0)
    job.stop()
    job.stop()
    with pytest.raises(asyncio.CancelledError):
        await job.task
    assert job.task.cancelling() == 1


def test_log_lines() -> None:
    """One JSON object a line; an exception is named, its traceback is not sent."""
    record = logging.LogRecord("blupow_ble.x", logging.WARNING, "", 0, "a %s", ("b",), None)
    assert json.loads(JsonLines().format(record)) == {
        "level": "WARNING",
        "logger": "blupow_ble.x",
        "message": "a b",
    }
    error = ValueError("c")
    record.exc_info = (ValueError, error, None)
    assert json.loads(JsonLines().format(record))["message"] == "a b: ValueError('c')"


def test_emit_to_a_closed_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that is gone gets nothing, and that is no error."""
    sent: list[bytes] = []

    def write(_: int, data: bytes) -> None:
        sent.append(data)
        raise BrokenPipeError

    monkeypatch.setattr("custom_components.blupow.lib.blupow_ble.reader.child.os.write", write)
    monkeypatch.setattr(
        "custom_components.blupow.lib.blupow_ble.reader.child.sys.stdout",
        type("Stdout", (), {"fileno": lambda self: 1})(),
    )
    emit({"v": 1})
    assert sent == [b'{"v":1}\n']
