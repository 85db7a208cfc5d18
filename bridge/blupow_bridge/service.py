"""Runs a bridge: hub, web server, announcement; loads the configuration again when it changes."""

import asyncio
from collections.abc import Callable
import logging
import os
from pathlib import Path
import signal
import ssl
import sys
from typing import Any, Final

from .announce import Announcement
from .config import Config, ConfigError, load
from .http.app import WebServer
from .http.auth import Token
from .http.control import ControlServer
from .hub import Hub
from .store.engine import StoreError

_LOGGER = logging.getLogger(__name__)

TOKEN_FILE_VARIABLE: Final = "BLUPOW_FIRST_TOKEN_FILE"
"""Where the first token is written, for hosts whose users have no shell."""
LOOK_PAUSE: Final = 2.0
"""Seconds between looks at the file."""
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


class CannotStart(Exception):
    """The bridge cannot run; the text says why, and what to do."""


async def run(path: Path, on_ready: Callable[[int], None] = lambda _: None) -> None:
    """Run a bridge until SIGTERM or SIGINT. Raises ConfigError, CannotStart."""
    config = load(path)
    set_up_logging(config)
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_exception)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    try:
        hub, token = Hub(config), Token(config.data)
        offer_token(token)
    except (StoreError, OSError) as err:
        raise CannotStart(_sentence(err)) from err
    server, control = WebServer(hub, token, config.http), ControlServer(hub)
    watching = asyncio.create_task(_watch(path, hub, again), name="configuration")
    try:
        port = await _start(hub, server, config)
        await _start_control(control)
        announcement = Announcement(hub, config.http.host, port, tls=config.http.key is not None)
        if config.http.announce:
            announcement.start()
        try:
            _log_start(config, port)
            on_ready(port)
            await stop.wait()
        finally:
            await announcement.stop()
    finally:
        watching.cancel()
        await asyncio.wait((watching,))
        await control.stop()
        await server.stop()
        await hub.stop()
        _LOGGER.info("[route] the bridge has stopped")


def handle_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a callback has raised, less the echo of a connection to the broker that has just ended.

    aiomqtt waits for a socket to be writable one step later, when it may be closed already.
    """
    late = "add_writer" in context["message"]
    if late and isinstance(context.get("exception"), OSError | RuntimeError):
        _LOGGER.debug("[mqtt] a connection has ended while it was written to")
        return
    loop.default_exception_handler(context)


async def _start(hub: Hub, server: WebServer, config: Config) -> int:
    """Start the hub and the web server; return the port. Raises CannotStart.

    Who asks for the devices gets all of them, from the first moment on.
    """
    await hub.start()
    try:
        port = await server.start()
    except (OSError, ssl.SSLError) as err:
        where = f"{config.http.host}:{config.http.port}"
        raise CannotStart(f"the web server cannot listen at {where}: {_sentence(err)}") from err
    try:
        await hub.store.start()
    except StoreError as err:
        raise CannotStart(_sentence(err)) from err
    return port


async def _start_control(control: ControlServer) -> None:
    """Serve the command line; the bridge can do without."""
    try:
        await control.start()
    except OSError as err:
        _LOGGER.warning("[route] `blupow-bridge mqtt` cannot ask this bridge: %s", _sentence(err))


def _log_start(config: Config, port: int) -> None:
    scheme = "https" if config.http.key else "http"
    host = f"[{config.http.host}]" if ":" in config.http.host else config.http.host
    _LOGGER.info(
        "[route] %s serves %s at %s://%s:%d",
        config.name,
        counted(len(config.devices)),
        scheme,
        host,
        port,
    )


def counted(devices: int) -> str:
    """Return a number of devices for people."""
    return "1 device" if devices == 1 else f"{devices} devices"


def offer_token(token: Token) -> None:
    """Make a token on the first start; only a person at a terminal is shown it. Raises OSError."""
    if token.exists:
        return
    made = token.make()
    if (path := os.environ.get(TOKEN_FILE_VARIABLE)) is not None:
        file = Path(path)
        file.touch(mode=0o600)
        file.write_text(f"{made}\n")
        _LOGGER.info(
            "[route] the token of this bridge is in %s; delete that file once it is used", path
        )
    elif sys.stdout.isatty():
        print(f"The token of this bridge, which is shown only now:\n\n  {made}\n", flush=True)
    else:
        _LOGGER.info("[route] run `blupow-bridge token` to get a token for Home Assistant")


async def _watch(path: Path, hub: Hub, again: asyncio.Event) -> None:
    """Load the configuration again on SIGHUP, or when the file has changed."""
    known = seen = _stamp(path)
    while True:
        try:
            async with asyncio.timeout(LOOK_PAUSE):
                await again.wait()
        except TimeoutError:
            before, seen = seen, _stamp(path)
            if seen in (known, None) or seen != before:
                continue  # it may be half written: it must be the same twice
        again.clear()
        known = seen = _stamp(path)
        try:
            config = await asyncio.to_thread(load, path)
        except ConfigError as err:
            for line in err.lines:
                _LOGGER.warning("[route] the configuration stays as it was: %s", line)
            continue
        set_up_logging(config)
        try:
            await hub.reload(config)
        except Exception:
            # a fault of the bridge: the next change must be seen all the same
            _LOGGER.exception("[route] a fault of the bridge itself")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def set_up_logging(config: Config) -> None:
    """Log to stderr: one line for each change."""
    level = LEVELS[config.log_level]
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr
    )
    for name in ("blupow_ble", "blupow_bridge"):
        logging.getLogger(name).setLevel(level)


def _sentence(err: BaseException) -> str:
    if isinstance(err, OSError) and err.strerror:
        return f"{err.filename}: {err.strerror}" if err.filename else err.strerror
    return str(err) or type(err).__name__
