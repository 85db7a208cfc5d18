"""The reader process, for real: what it answers, and that nothing of it is left."""

import asyncio
from dataclasses import replace
import errno
import logging
import os
from pathlib import Path
import signal
import sys

from bleak import BleakClient
import pytest

from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER as PROFILE
from custom_components.blupow.lib.blupow_ble.protocol.errors import (
    ErrorCode,
    ReaderCannotStart,
    ReaderError,
    Stage,
)
from custom_components.blupow.lib.blupow_ble.reader import process as process_module, timeouts
from custom_components.blupow.lib.blupow_ble.reader.discovery import known_device
from custom_components.blupow.lib.blupow_ble.reader.messages import Device, Message, Request
from custom_components.blupow.lib.blupow_ble.reader.plan import UnitPlan
from custom_components.blupow.lib.blupow_ble.reader.process import LIB, ReaderProcess
from simulator.control import ControlClient

from ...helpers.simulated import INVERTER_ADDRESS, INVERTER_NAME, INVERTER_PATH

VIRTUAL = Device(address="virtual", name="Virtual")
INVERTER = Device(
    address=INVERTER_ADDRESS, name=INVERTER_NAME, object_path=INVERTER_PATH, adapter="hci0"
)


def request(device: Device = VIRTUAL, **options) -> Request:
    """Return a request for everything."""
    options = {"connect_timeout": 5.0, "deadline": 25.0} | options
    plan = UnitPlan(
        profile=PROFILE, unit_id=options.pop("unit", 32), blocks=options.pop("blocks", None)
    )
    return Request(id=7, device=device, units=(plan,), **options)


def alive(pid: int | None) -> bool:
    """Whether a process is there, if only as a zombie."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def python(code: str) -> tuple[str, ...]:
    """Return a command that runs Python code in place of the child."""
    return (sys.executable, "-c", code)


async def fails(process: ReaderProcess) -> ReaderError:
    """Return the error of a reading that fails; the child is gone afterwards."""
    with pytest.raises(ReaderError) as caught:
        await process.reading()
    await process.close()
    if process.pid is not None:
        assert not alive(process.pid)
    return caught.value


async def settled(client: ControlClient) -> None:
    """Have the inverter known to BlueZ for good, by a scan and one reading of it."""
    if INVERTER_PATH in (await client.state())["known"]:
        return
    command = (*process_module.child_command(), "read", "--address", INVERTER_ADDRESS)
    child = await asyncio.create_subprocess_exec(
        *command, env=process_module.child_environment(), stdout=asyncio.subprocess.DEVNULL
    )
    assert await child.wait() == 0


async def test_reads_the_virtual_device() -> None:
    """A real child, a real reading, in the documented order of stages."""
    stages: list[str] = []

    def note(message: Message) -> None:
        stages.append(message["stage"])

    process = ReaderProcess(request(), on_progress=note)
    reading = await process.reading()
    assert reading.main.unit_id == 32
    assert reading.main.values["model"] == "RIV1230RCH-SPS"
    assert stages == ["connect", "services", "read"]
    await process.close()
    assert stages[-1] == "disconnect"
    assert not alive(process.pid)


async def test_looks_at_another_address() -> None:
    """An unresponsive one is not found, and the reading is whole."""
    process = ReaderProcess(request(look_at=49))
    reading = await process.reading()
    assert reading.found == ()
    assert reading.main.values["model"] == "RIV1230RCH-SPS"
    await process.close()


async def test_the_child_knows_no_home_assistant() -> None:
    """Neither in its modules nor on its path."""
    code = (
        "import sys, blupow_ble.reader.child, blupow_ble.cli, blupow_ble.reader.link, blupow_ble.reader.reading;"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('homeassistant', 'custom_components')];"
        "print(bad, sys.path[0])"
    )
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", code),
        env=process_module.child_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    assert output.decode().split() == ["[]", str(LIB)]


def test_the_library_imports_no_home_assistant() -> None:
    """In none of its sources."""
    for source in LIB.rglob("*.py"):
        for line in source.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert not words[1].startswith(("homeassistant", "custom_components")), source


async def test_error_of_the_child_is_raised() -> None:
    """With its code, its step and its words."""
    error = await fails(ReaderProcess(request(unit=5, blocks=[])))
    assert error.code is ErrorCode.NO_RESPONSE
    assert error.stage is Stage.READ
    assert error.message == "unit 5 did not answer within 2 s"


async def test_interpreter_that_is_not_there() -> None:
    """A reader that cannot be started says so."""
    error = await fails(ReaderProcess(request(), command=("/nowhere/python",)))
    assert error.code is ErrorCode.READER_CRASHED
    assert error.stage is Stage.START
    assert isinstance(error, ReaderCannotStart)
    assert "could not be started" in error.message


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
async def test_shortage(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """It passes: it is not said that no reader can be started."""

    async def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    error = await fails(ReaderProcess(request()))
    assert (error.code, error.stage) == (ErrorCode.READER_CRASHED, Stage.START)
    assert os.strerror(number) in error.message
    assert not isinstance(error, ReaderCannotStart)


async def test_stop_before_start_and_twice() -> None:
    """Nothing to stop is no error."""
    process = ReaderProcess(request())
    await process.stop()
    await process.close()
    assert process.pid is None
    await process.reading()
    await process.stop()
    await process.stop()
    assert not alive(process.pid)


@pytest.mark.parametrize(
    ("code", "text", "lasting"),
    [
        ("", "the reader ended with code 0 (it said nothing)", False),
        ("import sys; sys.exit('no module named bleak')", "(no module named bleak)", True),
        ("import os; os.kill(os.getpid(), 11)", "ended with code -11", False),
        ("import os; os._exit(143)", "ended with code 143", False),
    ],
)
async def test_child_that_ends_without_an_answer(code: str, text: str, lasting: bool) -> None:
    """Its exit code and its stderr tail are reported; after a signal the next one may well start."""
    error = await fails(ReaderProcess(request(), command=python(code)))
    assert error.code is ErrorCode.READER_CRASHED
    assert text in error.message
    assert isinstance(error, ReaderCannotStart) is lasting


HELLO = '{"v":1,"event":"hello"}'
READS = '{"v":1,"event":"progress","stage":"read"}'


@pytest.mark.parametrize(
    ("lines", "stage"),
    [([], Stage.START), ([HELLO], Stage.START), ([HELLO, READS], Stage.READ)],
)
async def test_step_in_which_a_child_ended(lines: list[str], stage: Stage) -> None:
    """One that ends before its first step could not start: it says hello before it imports bleak."""
    code = "".join(f"print({line!r}, flush=True); " for line in lines)
    error = await fails(ReaderProcess(request(), command=python(code)))
    assert error.code is ErrorCode.READER_CRASHED
    assert error.stage is stage


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("SUCCESS: {}", "Expecting value"),
        ('{"v":2,"event":"hello"}', "version 1"),
        ('{"v":1,"event":"party"}', "unknown event 'party'"),
        ('{"v":1,"event":"progress"}', "unknown stage"),
        ('{"v":1,"event":"progress","stage":"dance"}', "unknown stage"),
        ('{"v":1,"event":"result","id":8}', "answer to 8 instead of 7"),
        ('{"v":1,"event":"result","id":null}', "answer to None instead of 7"),
        ('{"v":1,"event":"result","id":7}', "malformed result"),
        ('{"v":1,"event":"result","id":7,"timings":{},"values":[]}', "malformed result"),
        ('{"v":1,"event":"error","id":7,"code":"tired"}', "malformed error"),
        ('{"v":1,"event":"error","id":7,"code":[]}', "malformed error"),
        ('{"v":1,"event":"result","id":7,"units":[]}', "malformed result"),
        ('{"v":1,"event":"result","id":7,"x":1e999}', "too large"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
async def test_answers_that_are_not_understood(line: str, text: str) -> None:
    """Nothing that a child sends is believed unless it has the form."""
    code = f"import time; print({line!r}, flush=True); time.sleep(60)"
    error = await fails(ReaderProcess(request(), command=python(code)))
    assert error.code is ErrorCode.BAD_REPLY
    assert text in error.message


async def test_endless_line() -> None:
    """A line over 1 MiB is not read to its end."""
    code = "import time; print('a' * (2 << 20), flush=True); time.sleep(60)"
    error = await fails(ReaderProcess(request(), command=python(code)))
    assert error.code is ErrorCode.BAD_REPLY
    assert "too long" in error.message


async def test_bad_request_is_told_without_an_id() -> None:
    """A child that cannot read the request cannot name it."""
    error = await fails(ReaderProcess(request(blocks=["live"], unit=999)))
    assert error.code is ErrorCode.BAD_REQUEST


async def test_silent_child_is_ended_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent does not wait for ever; a child that ignores SIGTERM is killed."""
    monkeypatch.setattr(timeouts, "PARENT_MARGIN", 0.2)
    monkeypatch.setattr(process_module, "TERMINATE_GRACE", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('', flush=True); time.sleep(60)"
    process = ReaderProcess(
        request(deadline=0.2), command=python(code.replace("print('', flush=True); ", ""))
    )
    error = await fails(process)
    assert error.code is ErrorCode.READER_TIMEOUT
    assert process._process is not None
    assert process._process.returncode in (-signal.SIGKILL, -signal.SIGTERM)


async def test_child_that_does_not_end_after_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and the reading still counts."""
    monkeypatch.setattr(process_module, "DISCONNECT_BUDGET", 0.1)
    monkeypatch.setattr(timeouts, "PARENT_MARGIN", 0.1)
    code = (
        f"import sys, runpy, time; sys.path.insert(0, {str(LIB)!r}); sys.argv = ['x'];"
        "from blupow_ble.reader import child; child.main(); time.sleep(60)"
    )
    process = ReaderProcess(request(deadline=20), command=python(code))
    monkeypatch.setattr(timeouts, "PARENT_MARGIN", 5)
    reading = await process.reading()
    monkeypatch.setattr(timeouts, "PARENT_MARGIN", 0.1)
    assert reading.main.unit_id == 32
    await process.close()
    assert not alive(process.pid)


async def test_garbage_after_the_answer_does_no_harm() -> None:
    """What is still said is read, so that the child can end."""
    code = (
        f"import sys; sys.path.insert(0, {str(LIB)!r}); sys.argv = ['x'];"
        "from blupow_ble.reader import child; child.main(); print('garbage' * 10000, flush=True);"
        "child.emit({'v': 1, 'event': 'progress', 'id': 7, 'stage': 'read'})"
    )
    process = ReaderProcess(request(), command=python(code))
    await process.reading()
    await process.close()
    assert not alive(process.pid)


@pytest.mark.parametrize("said", ["garbage", '{"v":1,"event":"progress","stage":"read"}'])
async def test_child_that_never_stops_talking(said: str) -> None:
    """It is not listened to for ever: it is ended, and the reading counts."""
    code = (
        f"import sys; sys.path.insert(0, {str(LIB)!r}); sys.argv = ['x'];"
        "from blupow_ble.reader import child; child.main()\n"
        f"while True: print({said!r}, flush=True)"
    )
    process = ReaderProcess(request(), command=python(code))
    reading = await process.reading()
    assert reading.main.unit_id == 32
    await process.close()
    assert not alive(process.pid)


async def test_cancelled_stop_still_reaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation while the child is being ended leaves nothing behind."""
    process = ReaderProcess(request(), command=python("import time; time.sleep(60)"))
    waiting = asyncio.create_task(process.reading())
    while process.pid is None:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not alive(process.pid)


async def test_log_that_something_else_holds_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the child left behind is ended, and does not keep its end from being seen."""
    monkeypatch.setattr(process_module, "STDERR_TAIL_WAIT", 0.05)
    code = (
        "import subprocess, sys;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL);"
        "print(p.pid, file=sys.stderr, flush=True)"
    )
    process = ReaderProcess(request(), command=python(code))
    error = await fails(process)
    assert error.code is ErrorCode.READER_CRASHED
    left = Path(f"/proc/{process._stderr_tail[-1]}/stat")
    while left.exists() and left.read_text().rpartition(")")[2].split()[0] != "Z":
        await asyncio.sleep(0.01)


async def test_logs_of_the_child(caplog: pytest.LogCaptureFixture) -> None:
    """Its own lines keep their level, a library's remarks are for debugging, other text too."""
    code = (
        "import json, sys\n"
        "def log(level, name, text): print(json.dumps(dict(level=level, logger=name, message=text)), file=sys.stderr)\n"
        "log('WARNING', 'blupow_ble.link', '[reader] ours')\n"
        "log('WARNING', 'bleak.backends', 'theirs')\n"
        "log('WARNING', 'py.warnings', 'RuntimeWarning: x')\n"
        "log('LOUD', 'blupow_ble', 'odd level')\n"
        "print('plain', file=sys.stderr)\n"
        "print('x' * (2 << 20), file=sys.stderr)\n"
        "print('after', file=sys.stderr)\n"
    )
    caplog.set_level(logging.DEBUG, "custom_components.blupow")
    await fails(ReaderProcess(request(), command=python(code)))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "[reader] ours") in lines
    assert ("DEBUG", "[reader] theirs") in lines
    assert ("WARNING", "[reader] RuntimeWarning: x") in lines
    assert ("DEBUG", "[reader] plain") in lines
    assert ("DEBUG", "[reader] after") in lines


async def test_debug_lines_of_the_child(
    simulated: ControlClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours come; bleak's hold all that BlueZ knows, neighbors too, and stay away."""
    await settled(simulated)
    caplog.set_level(logging.DEBUG, "custom_components.blupow")
    await simulated.fault("corrupt_crc", times=1)
    process = ReaderProcess(request(INVERTER, blocks=[]))
    assert (await process.reading()).main.unit_id == 32
    await process.close()
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("[reader] asking again: ") for line in lines)
    assert not [line for line in lines if "org.bluez" in line or "ManufacturerData" in line]


def test_environment_of_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library comes first on its path, what was there stays; byte code may be written."""
    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = process_module.child_environment()
    assert environment["PYTHONPATH"] == f"{LIB}:/other"
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    monkeypatch.delenv("PYTHONPATH")
    assert process_module.child_environment()["PYTHONPATH"] == str(LIB)
    logging.getLogger(process_module.__name__).setLevel(logging.DEBUG)
    try:
        assert process_module.child_environment()["BLUPOW_DEBUG"] == "1"
    finally:
        logging.getLogger(process_module.__name__).setLevel(logging.NOTSET)
    command = process_module.child_command()
    assert command[0] == sys.executable
    assert command[1:] == ("-P", "-m", "blupow_ble")
    assert Path(command[0]).exists()


# On a simulated BlueZ


@pytest.mark.parametrize("path", [INVERTER_PATH, None])
async def test_reads_the_simulated_inverter(simulated: ControlClient, path: str | None) -> None:
    """By its BlueZ path, or by what BlueZ knows; the link is closed afterwards."""
    await settled(simulated)
    process = ReaderProcess(request(replace(INVERTER, object_path=path)))
    reading = await process.reading()
    assert reading.main.values["model"] == "RIV1230RCH-SPS"
    await process.close()
    assert await simulated.links() == []
    assert not alive(process.pid)


async def test_device_that_bluez_does_not_know(simulated: ControlClient) -> None:
    """Nothing is scanned for it."""
    error = await fails(ReaderProcess(request(Device(address="00:00:00:00:00:01", name="x"))))
    assert error.code is ErrorCode.NOT_ADVERTISING
    stale = Device(
        address="00:00:00:00:00:02", name="x", object_path="/org/bluez/hci0/dev_00_00_00_00_00_02"
    )
    error = await fails(ReaderProcess(request(stale)))
    assert error.code is ErrorCode.NOT_ADVERTISING


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("out_of_range", ErrorCode.CONNECT_TIMEOUT),
        ("held", ErrorCode.CONNECT_TIMEOUT),
        ("deaf", ErrorCode.CONNECT_TIMEOUT),
        ("silent", ErrorCode.NO_RESPONSE),
        ("corrupt_crc", ErrorCode.BAD_FRAME),
        ("truncated", ErrorCode.BAD_FRAME),
        ("wrong_unit", ErrorCode.WRONG_UNIT),
        ("exception", ErrorCode.MODBUS_EXCEPTION),
        ("adapter_gone", ErrorCode.ADAPTER_UNAVAILABLE),
        ("refuses", ErrorCode.HELD_BY_OTHER),
    ],
)
async def test_faults_have_their_codes(
    simulated: ControlClient, fault: str, code: ErrorCode
) -> None:
    """Each fault is reported by its code, and leaves no link and no pending connect."""
    await settled(simulated)
    await simulated.fault(fault)
    error = await fails(
        ReaderProcess(
            request(INVERTER, blocks=[], connect_timeout=4.0 if fault == "refuses" else 1.0)
        )
    )
    assert error.code is code
    assert await simulated.links() == []


async def killed_in_mid_read(simulated: ControlClient) -> ReaderProcess:
    """Return a child that was killed while it read; its link stands."""
    await settled(simulated)
    await simulated.fault("slow", seconds=30)
    process = ReaderProcess(request(INVERTER))
    waiting = asyncio.create_task(process.reading())
    while (await simulated.state())["links"] != [INVERTER_PATH] or process.pid is None:
        await asyncio.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ReaderError) as caught:
        await waiting
    assert caught.value.code is ErrorCode.READER_CRASHED
    assert await simulated.links() == [INVERTER_PATH]
    return process


async def test_killed_child_leaves_no_link(simulated: ControlClient) -> None:
    """BlueZ keeps a dead client's link: the parent ends it."""
    process = await killed_in_mid_read(simulated)
    await process.stop()
    assert await simulated.links() == []


async def test_killed_child_whose_link_cannot_be_ended(
    simulated: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link stays ours, and the next reading takes it over."""
    process = await killed_in_mid_read(simulated)
    with monkeypatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
        await process.stop()
    assert await simulated.links() == [INVERTER_PATH]
    await simulated.clear()
    process = ReaderProcess(request(INVERTER))
    assert (await process.reading()).main.unit_id == 32
    await process.close()
    assert await simulated.links() == []


async def test_child_killed_while_connecting(simulated: ControlClient) -> None:
    """BlueZ would go on connecting: the parent ends that too."""
    await settled(simulated)
    await simulated.fault("out_of_range")
    process = ReaderProcess(request(INVERTER))
    waiting = asyncio.create_task(process.reading())
    while (await simulated.state())["pending"] != [INVERTER_PATH] or process.pid is None:
        await asyncio.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ReaderError):
        await waiting
    await process.stop()
    assert await simulated.links() == []


async def test_link_of_another_program(simulated: ControlClient) -> None:
    """It is neither joined nor ended: whoever has it keeps it."""
    await settled(simulated)
    async with BleakClient(known_device(INVERTER_ADDRESS, INVERTER_NAME, INVERTER_PATH)) as other:
        error = await fails(ReaderProcess(request(INVERTER)))
        assert error.code is ErrorCode.HELD_BY_OTHER
        assert error.message == "another program of this machine is connected to the device"
        assert other.is_connected
        assert (await simulated.state())["links"] == [INVERTER_PATH]
    process = ReaderProcess(request(INVERTER))
    assert (await process.reading()).main.unit_id == 32
    await process.close()


async def test_link_of_another_reader(simulated: ControlClient) -> None:
    """Two programs of ours never share a link; the first one's reading is whole."""
    await settled(simulated)
    await simulated.fault("slow", seconds=0.5)
    first = ReaderProcess(request(INVERTER, blocks=None))  # all: it takes five seconds
    waiting = asyncio.create_task(first.reading())
    while not await simulated.links():
        await asyncio.sleep(0.01)
    error = await fails(ReaderProcess(request(INVERTER, connect_timeout=2.5)))
    assert error.code is ErrorCode.HELD_BY_OTHER
    assert error.message == "another BluPow program is connected to the device"
    assert (await waiting).main.unit_id == 32
    await first.close()


async def test_link_that_a_dead_reader_left(simulated: ControlClient) -> None:
    """It is taken over, and ended with the reading."""
    await settled(simulated)
    await simulated.fault("slow", seconds=30)
    dead = ReaderProcess(request(INVERTER))
    waiting = asyncio.create_task(dead.reading())
    while (await simulated.state())["links"] != [INVERTER_PATH] or dead.pid is None:
        await asyncio.sleep(0.01)
    os.kill(dead.pid, signal.SIGKILL)
    with pytest.raises(ReaderError):
        await waiting
    await simulated.clear()
    process = ReaderProcess(request(INVERTER))
    assert (await process.reading()).main.unit_id == 32
    await process.close()
    assert await simulated.links() == []
    await dead.stop()


@pytest.mark.parametrize("how", ["sigterm", "stdin"])
async def test_child_that_is_told_to_end_disconnects(simulated: ControlClient, how: str) -> None:
    """SIGTERM and a parent that is gone: the child closes its link itself."""
    await settled(simulated)
    await simulated.fault("slow", seconds=30)
    process = ReaderProcess(request(INVERTER))
    waiting = asyncio.create_task(process.reading())
    while (await simulated.state())["links"] != [INVERTER_PATH]:
        await asyncio.sleep(0.01)
    child = process._process
    assert child is not None
    assert child.stdin is not None
    if how == "sigterm":
        child.send_signal(signal.SIGTERM)
    else:
        child.stdin.close()
    with pytest.raises(ReaderError):
        await waiting
    assert child.returncode == 143
    assert await simulated.links() == []
    await process.stop()


async def test_child_ends_itself_at_its_deadline(simulated: ControlClient) -> None:
    """It says so, and disconnects."""
    await settled(simulated)
    await simulated.fault("slow", seconds=30)
    error = await fails(ReaderProcess(request(INVERTER, deadline=6.0)))
    assert error.code is ErrorCode.READER_TIMEOUT
    assert error.message == "the reading was not done within 6 s"
    assert await simulated.links() == []


async def test_no_bus_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without the D-Bus socket has no adapter."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    for device in (INVERTER, Device(address=INVERTER_ADDRESS, name=INVERTER_NAME)):
        error = await fails(ReaderProcess(request(device)))
        assert error.code is ErrorCode.ADAPTER_UNAVAILABLE
