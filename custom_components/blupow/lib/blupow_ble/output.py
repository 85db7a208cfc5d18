"""What a person's terminal, pipe or file does to a command: it may close, be full, or know few letters."""

from collections.abc import Callable
import errno
import io
import os
import sys
from typing import Final, TextIO

EXIT_NOT_WRITTEN: Final = 74
"""As sysexits.h has it for a failed input or output."""
EXIT_PIPE_CLOSED: Final = 141
"""As a shell tells of a program that SIGPIPE has ended."""

_NOT_WRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def run(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; one whose output goes nowhere ends without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            code = command()
        finally:  # also after --help, which ends by itself
            sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        return EXIT_PIPE_CLOSED
    except OSError as err:
        if err.errno not in _NOT_WRITABLE:
            raise
        _discard(sys.stdout)
        print(f"the output could not be written: {err.strerror}", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    return code


def _discard(stream: TextIO) -> None:
    """Have what is still in a stream's buffer written nowhere, so that the interpreter's end is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
