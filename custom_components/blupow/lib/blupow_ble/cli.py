"""The command line for people: scan, probe, read, decode."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from . import output
from .profiles import PROFILES, may_be_renogy, model_for_name, profile_for_name
from .profiles.declaration import Kind, Value
from .profiles.decoding import decode
from .profiles.profile import Model, Profile, RegisterMap
from .protocol.errors import ErrorCode, ReaderError
from .protocol.modbus import EXCEPTION_TEXT, FrameError, parse_reply
from .protocol.push import parse_push
from .reader.plan import UnitPlan
from .reader.timeouts import CONNECT_TIMEOUT, read_budget
from .text import cleaned

if TYPE_CHECKING:
    from .reader.result import Finding, Reading

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


def _profile(text: str) -> Profile:
    try:
        return PROFILES[text]
    except KeyError:
        raise argparse.ArgumentTypeError(
            f"unknown profile {text!r}; there are: {', '.join(PROFILES)}"
        ) from None


def _address(text: str) -> str:
    address = text.strip().upper().replace("-", ":")
    if not re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", address):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no Bluetooth address; one looks like C4:D3:6A:66:7E:D4"
        )
    return address


def _unit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"{text!r} is not a unit ID: 1-255")
    return int(text)


def _register(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no register; one is within 0-65535 (or 0x0-0xffff)"
        )
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time within 0-600 seconds")
    return seconds


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="blupow",
        description="Find and read Renogy power devices over Bluetooth LE, and decode captured frames.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    scan = commands.add_parser("scan", help="list the Renogy devices that are heard")
    scan.add_argument("--time", type=_seconds, default=10.0, metavar="S", help="how long (10)")
    scan.add_argument("--all", action="store_true", help="list other devices too")
    scan.add_argument("--json", action="store_true", help="print JSON")
    scan.set_defaults(run=run_scan)

    probe = commands.add_parser("probe", help="find out what is behind a module; sends reads only")
    probe.add_argument("--address", type=_address, required=True, metavar="A", help="its address")
    probe.add_argument("--all", action="store_true", help="find all units, as on a hub (30 s)")
    probe.add_argument(
        "--timeout",
        type=_seconds,
        default=CONNECT_TIMEOUT,
        metavar="S",
        help="to connect (25)",
    )
    probe.add_argument("--json", action="store_true", help="print JSON")
    probe.set_defaults(run=run_probe)

    read = commands.add_parser("read", help="take one reading of a device")
    which = read.add_mutually_exclusive_group(required=True)
    which.add_argument("--address", type=_address, metavar="A", help="its Bluetooth address")
    which.add_argument(
        "--virtual",
        choices=sorted(PROFILES),
        metavar="PROFILE",
        help="read a virtual device instead",
    )
    read.add_argument(
        "--profile",
        type=_profile,
        metavar="P",
        help="its family (by its name, else by probing): " + ", ".join(PROFILES),
    )
    read.add_argument("--model", metavar="M", help="its model, if it does not tell")
    read.add_argument("--unit-id", type=_unit, metavar="N", help="its unit ID (found by trying)")
    read.add_argument(
        "--timeout",
        type=_seconds,
        default=CONNECT_TIMEOUT,
        metavar="S",
        help="to connect (25)",
    )
    read.add_argument("--json", action="store_true", help="print JSON")
    read.set_defaults(run=run_read)

    frames = commands.add_parser(
        "decode",
        help="decode a captured response frame",
        description="Decode a response to a read of registers. Several HEX arguments are its fragments, in their order.",
    )
    frames.add_argument("--profile", type=_profile, required=True, metavar="P", help="the family")
    frames.add_argument("--model", metavar="M", help="the model (the family's base)")
    frames.add_argument(
        "--start",
        type=_register,
        metavar="R",
        help="the first register that was asked for (a shunt is not asked)",
    )
    frames.add_argument("--json", action="store_true", help="print JSON")
    frames.add_argument("hex", nargs="+", metavar="HEX", help="the frame, as hexadecimal digits")
    frames.set_defaults(run=run_decode)
    return parser


def command() -> int:
    """Run the command line as it was typed; return the exit code."""
    return main(sys.argv[1:])


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    return output.run(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    options = build_parser().parse_args(arguments)
    try:
        exit_code: int = options.run(options)
    except ReaderError as err:
        print(f"{err.message} [{err.code}]", file=sys.stderr)
        return EXIT_FAILED
    except FrameError as err:
        print(f"bad frame: {err}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return exit_code


def _model(profile: Profile, name: str | None) -> Model | None:
    """Return the model that a person named. Raises ReaderError(bad_request)."""
    if name is None:
        return None
    if model := profile.model_named(name):
        return model
    known = ", ".join(model.key for model in profile.models)
    raise ReaderError(
        ErrorCode.BAD_REQUEST,
        f"unknown model {name!r}; {profile.key} models are: {known}",
    )


def run_decode(options: argparse.Namespace) -> int:
    """Decode a captured frame."""
    profile: Profile = options.profile
    model = _model(profile, options.model) or profile.models[0]
    try:
        frame = bytes.fromhex("".join(options.hex))
    except ValueError:
        raise FrameError("not hexadecimal digits, or an odd number of them") from None
    start, words = _words(profile, options.start, frame)
    registers = dict(enumerate(words, start))
    register_map = profile.register_map(model)
    decoded = decode(register_map, registers)
    for key in decoded.dropped:
        print(f"dropped: {key} cannot have that value", file=sys.stderr)
    for key, number in decoded.unknown.items():
        print(f"unknown: {key} has no name for {number}", file=sys.stderr)
    if options.json:
        _print_json(
            {
                "profile": profile.key,
                "model": model.key,
                "start": start,
                "values": decoded.values,
                "unknown": decoded.unknown,
            }
        )
        return 0
    _print_values(register_map, decoded.values)
    if not decoded.values:
        print(f"no known value in registers {start}-{start + len(words) - 1}")
    return 0


def _words(profile: Profile, start: int | None, frame: bytes) -> tuple[int, tuple[int, ...]]:
    """Return the first register and the words of a captured frame. Raises FrameError."""
    if profile.push is not None:
        words = parse_push(profile.push, frame)
        if len(frame) < profile.push.size:
            size = profile.push.size
            print(f"the frame is cut: {len(frame)} of {size} bytes", file=sys.stderr)
        return 0, words
    if start is None:
        raise FrameError("--start is needed: a reply does not say which registers it holds")
    reply = parse_reply(frame)
    if reply.exception is not None:
        meaning = EXCEPTION_TEXT.get(reply.exception, "unknown")
        raise FrameError(f"the device refused with exception {reply.exception} ({meaning})")
    return start, reply.words


def run_read(options: argparse.Namespace) -> int:
    """Take one reading."""
    profile, reading = asyncio.run(_read(options))
    unit = reading.main
    model = profile.model(unit.model) if unit.model else None
    if options.json:
        _print_json(
            {
                "profile": profile.key,
                "values": unit.values,
                "unknown": unit.unknown,
                "failed": unit.failed,
                "timings": {
                    "connect": reading.timings.connect,
                    "read": reading.timings.read,
                },
            }
        )
        return 0
    _print_values(profile.register_map(model), unit.values)
    for key, number in unit.unknown.items():
        print(f"unknown: {key} has no name for {number}")
    for block, code in unit.failed.items():
        print(f"not read: block {block} [{code}]")
    print(
        f"{profile.name}, unit {unit.unit_id or '-'}, connected in {reading.timings.connect:.2f} s, "
        f"read in {reading.timings.read:.2f} s"
    )
    return 0


async def _read(options: argparse.Namespace) -> tuple[Profile, Reading]:
    """Take one reading of the device that the options name."""
    from .protocol.session import Link  # noqa: PLC0415
    from .reader.discovery import find_device  # noqa: PLC0415
    from .reader.link import BleLink  # noqa: PLC0415
    from .reader.probing import Prober  # noqa: PLC0415
    from .reader.reading import Reader  # noqa: PLC0415
    from .virtual import VirtualLink, virtual_device  # noqa: PLC0415

    profile: Profile | None = PROFILES[options.virtual] if options.virtual else options.profile
    unit, name = options.unit_id, None
    link: Link
    if options.virtual:
        link = VirtualLink(virtual_device(options.virtual))
    else:
        device = await find_device(options.address, options.timeout)
        name = device.name
        link = BleLink(device, options.timeout)
    try:
        model = None
        if (profile := profile or profile_for_name(name)) is None:
            finding = await Prober(link).identify()
            await link.disconnect()
            profile, unit = PROFILES[finding.profile], unit or finding.unit_id
            model = profile.model(finding.model) if finding.model else None
        model = _model(profile, options.model) or model or model_for_name(profile, name)
        plan = UnitPlan(profile=profile, model=model, unit_id=unit)
        budget = read_budget(1, pushed=profile.push is not None)
        return profile, await Reader(link, (plan,), budget=budget).read()
    finally:
        await link.disconnect()


def run_probe(options: argparse.Namespace) -> int:
    """Find out what is behind a module."""
    found = asyncio.run(_probe(options))
    if options.json:
        _print_json([asdict(finding) for finding in found])
    for finding in [] if options.json else found:
        name = finding.model_text or "does not name itself"
        serial = f", serial number {finding.serial_number}" if finding.serial_number else ""
        print(f"unit {finding.unit_id or '-':>3}  {finding.profile:10}  {name}{serial}")
    if not found:
        print("no unit answers behind the module", file=sys.stderr)
        return EXIT_FAILED
    return 0


async def _probe(options: argparse.Namespace) -> list[Finding]:
    """Ask around behind the module that the options name."""
    from .reader.discovery import find_device  # noqa: PLC0415
    from .reader.link import BleLink  # noqa: PLC0415
    from .reader.probing import Prober  # noqa: PLC0415

    link = BleLink(await find_device(options.address, options.timeout), options.timeout)
    prober = Prober(link)
    try:
        return await prober.find_all() if options.all else [await prober.identify()]
    finally:
        await prober.close()


def run_scan(options: argparse.Namespace) -> int:
    """List the devices that are heard."""
    from .reader.discovery import scan  # noqa: PLC0415

    heard = asyncio.run(scan(options.time))
    rows: list[dict[str, Any]] = []
    for address, (device, advertisement) in heard.items():
        name = cleaned(advertisement.local_name or device.name or "")
        profile = profile_for_name(name)
        if profile or may_be_renogy(name) or options.all:
            rows.append(
                {
                    "address": address,
                    "name": name,
                    "rssi": advertisement.rssi,
                    "profile": profile.key if profile else None,
                }
            )
    rows.sort(key=lambda row: -row["rssi"])
    if options.json:
        _print_json(rows)
    for row in [] if options.json else rows:
        print(f"{row['address']}  {row['rssi']:4} dBm  {row['profile'] or '-':10}  {row['name']}")
    if not rows:
        print(
            f"no Renogy device was heard within {options.time:g} s ({len(heard)} other devices); "
            "one that a phone or another program holds does not advertise",
            file=sys.stderr,
        )
        return EXIT_FAILED
    return 0


def _print_json(what: object) -> None:
    print(json.dumps(what, indent=2, allow_nan=False))


def _print_values(register_map: RegisterMap, values: dict[str, Value]) -> None:
    width = max((len(key) for key in values), default=0)
    units = {
        item.key: item.unit_of_measurement
        for item in register_map.fields
        if item.kind is Kind.NUMBER
    }
    units |= {item.key: item.unit_of_measurement for item in register_map.computed}
    for key, value in values.items():
        text = (", ".join(value) or "none") if isinstance(value, list) else str(value)
        unit = units.get(key)
        print(f"{key:<{width}}  {text}" + (f" {unit}" if unit else ""))
