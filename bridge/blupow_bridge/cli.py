"""The command line of the bridge: run, check, discover, token, devices, export, mqtt."""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import sys
from typing import Any, Final

from blupow_ble import output
from blupow_ble.profiles import model_for_name, profile_for_name
from blupow_ble.protocol.errors import ReaderError
from blupow_ble.reader.plan import OWN_UNIT
from blupow_ble.supervisor import kept_state
from blupow_ble.text import cleaned

from .config import DEFAULT_PATH, Config, ConfigError, load
from .http.auth import Token
from .http.control import ControlRefused, NotRunning, ask
from .mqtt.causes import TEXTS, Cause
from .service import CannotStart, counted, run
from .store.engine import DATABASE_ERRORS, StoreError, first_line, migrate, open_engine
from .store.export import FORMATS, export
from .store.history import History, Query, Resolution

EXIT_FAILED: Final = 1
EXIT_BAD_CONFIGURATION: Final = 2
EXIT_INTERRUPTED: Final = 130


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment; one looks like 2026-11-26 or 2026-11-26T08:00"
        ) from None
    return moment if moment.tzinfo else moment.astimezone()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="blupow-bridge",
        description="Read Renogy devices beside them, keep their history, and serve Home Assistant.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("BLUPOW_CONFIG", DEFAULT_PATH)),
        metavar="FILE",
        help=f"the configuration (BLUPOW_CONFIG, else {DEFAULT_PATH})",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    running = commands.add_parser("run", help="run the bridge until it is told to stop")
    running.set_defaults(run=run_bridge)

    checking = commands.add_parser("check", help="check the configuration, and the database")
    checking.set_defaults(run=run_check)

    discovering = commands.add_parser(
        "discover", help="print the configuration of the Renogy devices that are heard"
    )
    discovering.add_argument(
        "--time", type=float, default=10.0, metavar="S", help="how long to listen (10)"
    )
    discovering.set_defaults(run=run_discover)

    token = commands.add_parser(
        "token", help="make a new token and print it; the one before is no longer good"
    )
    token.set_defaults(run=run_token)

    devices = commands.add_parser("devices", help="list the devices, and when each was read last")
    devices.add_argument("--json", action="store_true", help="print JSON, with the last values")
    devices.set_defaults(run=run_devices)

    exporting = commands.add_parser("export", help="write the history of a device to a file")
    exporting.add_argument("device", metavar="DEVICE", help="its name, or its id")
    exporting.add_argument("file", type=Path, metavar="FILE", help="where to write")
    exporting.add_argument("--unit", default=OWN_UNIT, metavar="KEY", help="a unit behind it")
    exporting.add_argument("--format", choices=FORMATS, help="by the name of the file, else csv")
    exporting.add_argument("--from", dest="start", type=_moment, metavar="T", help="a month ago")
    exporting.add_argument("--to", dest="end", type=_moment, metavar="T", help="now")
    exporting.add_argument(
        "--resolution",
        choices=[item.value for item in Resolution],
        default=Resolution.RAW.value,
        help="every reading, or what they come to by hour or day (raw)",
    )
    exporting.set_defaults(run=run_export)

    mqtt = commands.add_parser("mqtt", help="tell how the connection to the broker is, and was")
    mqtt.add_argument("--json", action="store_true", help="print JSON, with all events")
    mqtt.add_argument(
        "--reset-reconnect", action="store_true", help="connect now, with credentials read again"
    )
    mqtt.set_defaults(run=run_mqtt)
    return parser


def command() -> int:
    """Run the command line; return the exit code."""
    return output.run(lambda: main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ConfigError as err:
        print("\n".join(err.lines), file=sys.stderr)
        return EXIT_BAD_CONFIGURATION
    except (CannotStart, ControlRefused, NotRunning, StoreError) as err:
        print(err, file=sys.stderr)
        return EXIT_FAILED
    except ReaderError as err:
        print(f"{err.message} [{err.code}]", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def run_bridge(options: argparse.Namespace) -> int:
    """Run the bridge."""
    asyncio.run(run(options.config))
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Check the configuration, and whether the database can be opened."""
    config = load(options.config)
    asyncio.run(_check_store(config))
    print(f"{options.config}: {counted(len(config.devices))}, no fault found")
    if not config.devices:
        print("no device is configured; `blupow-bridge discover` prints those that are heard")
    return 0


async def _check_store(config: Config) -> None:
    """Raise StoreError where the database cannot be opened."""
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        engine = open_engine(_url(config), config.data)
    except OSError as err:
        raise StoreError(f"the folder {config.data} cannot be made: {err.strerror}") from err
    try:
        await migrate(engine)
    except DATABASE_ERRORS as err:
        raise StoreError(f"the database cannot be opened: {first_line(err)}") from err
    finally:
        await engine.dispose()


def run_discover(options: argparse.Namespace) -> int:
    """Print the configuration of the devices that are heard."""
    from blupow_ble.reader.discovery import scan  # noqa: PLC0415

    heard = asyncio.run(scan(options.time))
    rows = []
    for address, (device, advertisement) in heard.items():
        name = cleaned(advertisement.local_name or device.name or "")
        if (profile := profile_for_name(name)) is not None:
            rows.append((advertisement.rssi, address, name, profile))
    for rssi, address, name, profile in sorted(rows, key=lambda row: -row[0]):
        model = model_for_name(profile, name)
        print(f"# {rssi} dBm")
        print("[[devices]]")
        print(f"name = {json.dumps(name)}")
        print(f"address = {json.dumps(address)}")
        print(f"profile = {json.dumps(profile.key)}")
        if model is not None:
            print(f"model = {json.dumps(model.key)}")
        print()
    if not rows:
        print(
            f"no Renogy device was heard within {options.time:g} s ({len(heard)} other devices); "
            "one that a phone or another program holds does not advertise",
            file=sys.stderr,
        )
        return EXIT_FAILED
    return 0


def run_token(options: argparse.Namespace) -> int:
    """Make a new token, and print it."""
    config = load(options.config)
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        print(Token(config.data).make())
    except OSError as err:
        raise CannotStart(f"the token cannot be kept in {config.data}: {err.strerror}") from err
    return 0


def run_devices(options: argparse.Namespace) -> int:
    """List the devices, with what is kept of each."""
    config = load(options.config)
    rows = [_kept_of(config, device.id) for device in config.devices]
    if options.json:
        found = [
            {"id": device.id, "name": device.name, **row}
            for device, row in zip(config.devices, rows, strict=True)
        ]
        print(json.dumps(found, indent=2))
        return 0
    for device, row in zip(config.devices, rows, strict=True):
        read = row["read_at"] or "never read"
        print(f"{device.id:16}  {device.profile:10}  {read:25}  {device.name}")
    if not rows:
        print("no device is configured; `blupow-bridge discover` prints those that are heard")
    return 0


def _kept_of(config: Config, device_id: str) -> dict[str, Any]:
    """Return when a device was read last, and what it sent."""
    path = config.data / "devices" / f"{device_id}.json"
    try:
        link = json.loads(path.read_text())["link"]
        fresh_at = link["fresh_at"]
        values = {key: unit["values"] for key, unit in link["units"].items()}
        at = None if fresh_at is None else datetime.fromtimestamp(fresh_at, UTC).astimezone()
    except kept_state.MALFORMED:
        return {"read_at": None, "values": {}}
    return {"read_at": at.isoformat(timespec="seconds") if at else None, "values": values}


def run_mqtt(options: argparse.Namespace) -> int:
    """Tell how the connection to the broker is, or begin it anew."""
    data = load(options.config).data
    if options.reset_reconnect:
        answer = asyncio.run(ask(data, "POST", "/mqtt/reset_reconnect"))
        if answer["connected"]:
            print(f"{answer['broker']} is connected already")
        else:
            print(f"the bridge tries to connect to {answer['broker']} now")
        return 0
    report = asyncio.run(ask(data, "GET", "/mqtt"))
    print(json.dumps(report, indent=2) if options.json else "\n".join(_broker_lines(report)))
    return 0


def _broker_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Go through what is told of the connection to the broker."""
    if report["connected"]:
        yield f"{report['broker']}: connected, by MQTT {report['protocol']}"
    else:
        due = report["next_attempt_in"]
        when = "now" if due is None else f"in {due:.0f} s"
        why = TEXTS[Cause(report["cause"])] if report["cause"] else "not connected yet"
        words = f" ({report['message']})" if report["message"] else ""
        yield f"{report['broker']}: {why}{words}; tries again {when}"
    if report["reconnection_failed"]:
        yield f"reconnection has failed; recoveries by strategy {report['strategy']}"
    yield (
        f"{report['published']} messages published, {report['waiting']} waiting, "
        f"{sum(report['dropped'].values())} dropped; {report['connections']} connections"
    )
    for event in report["events"][:20]:
        why = f": {TEXTS[Cause(event['cause'])]} ({event['message']})" if event["cause"] else ""
        after = "" if event["seconds"] is None else f" after {event['seconds']:.0f} s"
        yield f"{event['at'][:19]}  {event['event']}{after}{why}"


def run_export(options: argparse.Namespace) -> int:
    """Write a history to a file."""
    config = load(options.config)
    device = next((item for item in config.devices if options.device in (item.id, item.name)), None)
    device_id = options.device if device is None else device.id
    end = options.end or datetime.now(UTC)
    query = Query(
        device=device_id,
        unit=options.unit,
        start=options.start or end - timedelta(days=31),
        end=end,
        resolution=Resolution(options.resolution),
    )
    kind = options.format or ("parquet" if options.file.suffix == ".parquet" else "csv")
    count = asyncio.run(_export(config, query, options.file, kind))
    print(f"{count} rows in {options.file}")
    if not count:
        names = ", ".join(item.name for item in config.devices)
        print(f"nothing is stored of {options.device!r} in that time; devices: {names}")
        return EXIT_FAILED
    return 0


async def _export(config: Config, query: Query, path: Path, kind: str) -> int:
    """Write a history to a file; return how many rows it has. Raises StoreError."""
    engine = open_engine(_url(config), config.data)
    try:
        return await export(History(engine), query, path, kind)
    except DATABASE_ERRORS as err:
        raise StoreError(f"the history could not be written: {first_line(err)}") from err
    finally:
        await engine.dispose()


def _url(config: Config) -> str | None:
    return config.store.url.get_secret_value() if config.store.url else None
