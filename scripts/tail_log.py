#!/usr/bin/env python3
"""Follow a Home Assistant log and show what BluPow says; end with a summary."""

import argparse
from collections import Counter
from contextlib import contextmanager
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys
import time

LINE = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)?.*?\b(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\b"
    r".*?\[(?P<logger>custom_components\.blupow[\w.]*)\] (?P<message>.*)$"
)
KIND = re.compile(r"^\[(\w+)\]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")
PAUSE = 0.5


class Summary:
    """Counts the lines by their kind and level."""

    def __init__(self):
        """Start empty."""
        self.kinds = Counter()
        self.levels = Counter()
        self.first = self.last = None

    def add(self, found):
        """Count a line."""
        kind = KIND.match(found["message"])
        self.kinds[kind[1] if kind else "other"] += 1
        self.levels[found["level"]] += 1
        if found["time"]:
            self.first = self.first or found["time"]
            self.last = found["time"]

    def __str__(self):
        """Say what was counted."""
        total = sum(self.levels.values())
        if not total:
            return "no line of BluPow was found; is it logged at info? (logger: custom_components.blupow: info)"
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.kinds.most_common())
        levels = ", ".join(f"{level.lower()} {count}" for level, count in self.levels.most_common())
        when = f", from {self.first} to {self.last}" if self.first else ""
        return f"{total} lines{when}\nby kind:  {kinds}\nby level: {levels}"


def build_parser():
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Follow a Home Assistant log and show what BluPow says; end with a summary (Ctrl-C). "
        "On Home Assistant OS, which keeps no log file, `ha core logs` is followed."
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE",
        help="log file; - for standard input; without it: home-assistant.log here or in /config, else `ha core logs`",
    )
    parser.add_argument(
        "--kind", metavar="K", help="only lines of this kind: reader, cache, poll, route, ..."
    )
    parser.add_argument("--no-follow", action="store_true", help="stop at the end of the file")
    return parser


def follow(path, wait):
    """Go through the lines of a file, and through those that are added; begin anew when it is replaced."""
    while True:
        with path.open(errors="replace") as log:
            opened = os.fstat(log.fileno())
            while True:
                if line := log.readline():
                    yield line
                    continue
                if not wait:
                    return
                time.sleep(PAUSE)
                if not path.exists():
                    continue
                now = path.stat()
                if (now.st_ino, now.st_dev) != (opened.st_ino, opened.st_dev):
                    break
                if now.st_size < log.tell():
                    log.seek(0)


@contextmanager
def core_logs(wait):
    """Run `ha core logs`, as Home Assistant OS has it."""
    command = ["ha", "core", "logs", *(["--follow"] if wait else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.wait()


def show(lines, kind, summary):
    """Print the lines of BluPow."""
    for line in lines:
        found = LINE.match(COLOR.sub("", line).rstrip("\n"))
        if not found:
            continue
        if kind and not found["message"].startswith(f"[{kind}]"):
            continue
        summary.add(found)
        print(f"{found['time'] or ''} {found['level']:<7} {found['message']}", flush=True)


def main():
    """Follow the log."""
    # as other filters: end quietly with the reader of the pipe, and print what the terminal knows
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.reconfigure(errors="replace")
    options = build_parser().parse_args()
    summary = Summary()
    places = [Path("home-assistant.log"), Path("/config/home-assistant.log")]
    path = Path(options.source) if options.source else next(filter(Path.exists, places), None)
    try:
        if options.source == "-":
            show(sys.stdin, options.kind, summary)
        elif path is not None and path.is_file():
            show(follow(path, not options.no_follow), options.kind, summary)
        elif options.source:
            print(f"tail_log: there is no file {options.source}", file=sys.stderr)
            return 1
        elif shutil.which("ha"):
            with core_logs(not options.no_follow) as lines:
                show(lines, options.kind, summary)
        else:
            print(
                "tail_log: no home-assistant.log here or in /config, and no `ha` command; name a file",
                file=sys.stderr,
            )
            return 1
    except KeyboardInterrupt:
        print()
    print(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
