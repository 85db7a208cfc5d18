"""What happens to a command's output: real processes, whose pipe closes, disk is full, letters are few."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
import errno
import io
import os
from pathlib import Path
import sys

import pytest

from custom_components.blupow.lib.blupow_ble import output
from custom_components.blupow.lib.blupow_ble.reader import process as process_module

READ = ("read", "--virtual", "controller")


async def blupow(
    *arguments: str, stdout: int, encoding: str = "utf-8"
) -> tuple[int | None, bytes, bytes]:
    """Run the command line; return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *process_module.child_command(),
        *arguments,
        env=process_module.child_environment() | {"PYTHONIOENCODING": encoding},
        stdin=DEVNULL,
        stdout=stdout,
        stderr=PIPE,
    )
    written, errors = await process.communicate()
    return process.returncode, written or b"", errors


@pytest.mark.parametrize(("arguments", "expected"), [(READ, 141), (("read", "--help"), 0)])
async def test_closed_pipe(arguments: tuple[str, ...], expected: int) -> None:
    """As `| head` does: it ends without a word, as other programs do."""
    reading, writing = os.pipe()
    os.close(reading)
    code, _, errors = await blupow(*arguments, stdout=writing)
    os.close(writing)
    assert (code, errors) == (expected, b"")


async def test_full_disk() -> None:
    """The reason in a sentence, and a code of its own."""
    with Path("/dev/full").open("wb") as full:
        code, _, errors = await blupow(*READ, stdout=full.fileno())
    assert code == 74
    assert errors == b"the output could not be written: No space left on device\n"


@pytest.mark.parametrize(("encoding", "degree"), [("ascii", b"?"), ("latin-1", b"\xb0")])
async def test_few_letters(encoding: str, degree: bytes) -> None:
    """A letter that the terminal does not know is replaced."""
    code, written, errors = await blupow(*READ, stdout=PIPE, encoding=encoding)
    assert (code, errors) == (0, b"")
    assert degree + b"C\n" in written


def test_stream_that_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written to as it is."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert output.run(lambda: stream.write("done")) == 4
    assert stream.getvalue() == "done"


def test_other_faults_are_not_hidden() -> None:
    """A file that is not there is no full disk."""

    def fail() -> int:
        raise FileNotFoundError(errno.ENOENT, "no such file")

    with pytest.raises(FileNotFoundError):
        output.run(fail)
