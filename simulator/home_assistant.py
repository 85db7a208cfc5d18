"""A real Home Assistant on the simulated Bluetooth: its folder, its process, its HTTP and WebSocket API."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import signal
import socket
import sys
from typing import Any, Final

import aiohttp

ROOT: Final = Path(__file__).resolve().parent.parent
USER: Final = "demo"
START_LIMIT: Final = 180.0
STOP_LIMIT: Final = 60.0
CALL_LIMIT: Final = 120.0

_CONFIGURATION: Final = """\
homeassistant:
  name: Demo
  unit_system: metric
  time_zone: UTC
  country: US
  currency: USD
frontend:
history:
bluetooth:
logger:
  default: warning
  logs:
    custom_components.blupow: {level}
"""


class HomeAssistantError(Exception):
    """Home Assistant did not start, or refused a call."""


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _store(folder: Path, key: str, version: int, minor: int, data: dict[str, Any]) -> None:
    content = {"version": version, "minor_version": minor, "key": key, "data": data}
    (folder / ".storage" / key).write_text(json.dumps(content, indent=2))


async def make_folder(
    folder: Path, port: int, *, adapters: list[str], log_level: str = "info"
) -> None:
    """Make a configuration folder: user demo/demo, no onboarding, the adapters set up."""
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    (folder / "configuration.yaml").write_text(_CONFIGURATION.format(level=log_level))
    components = folder / "custom_components"
    if not components.exists():
        components.symlink_to(ROOT / "custom_components", target_is_directory=True)
    now = datetime.now(UTC).isoformat()
    # a port in configuration.yaml would only be tried for some minutes
    stable = {
        "server_port": port,
        "server_host": ["127.0.0.1"],
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": now,
        "error": None,
        "error_message": None,
    }
    _store(folder, "http", 2, 2, {"stable": stable, "pending": None, "yaml_migration_done": True})
    done = ["user", "core_config", "analytics", "integration"]
    _store(folder, "onboarding", 4, 1, {"done": done})
    if not (folder / ".storage" / "core.config_entries").exists():
        entries = [_adapter_entry(address, number, now) for number, address in enumerate(adapters)]
        _store(folder, "core.config_entries", 1, 5, {"entries": entries})
    if not (folder / ".storage" / "auth_provider.homeassistant").exists():
        await _add_user(folder)


def _adapter_entry(address: str, number: int, now: str) -> dict[str, Any]:
    return {
        "created_at": now,
        "modified_at": now,
        "data": {},
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "bluetooth",
        "entry_id": f"bluetooth{number:017d}",
        "minor_version": 1,
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "integration_discovery",
        "subentries": [],
        "title": f"Simulated adapter ({address})",
        "unique_id": address,
        "version": 1,
    }


async def _add_user(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homeassistant", "--script", "auth", "-c", str(folder)),
        *("add", USER, USER),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise HomeAssistantError(f"the user could not be made: {output.decode().strip()}")


@dataclass(slots=True)
class HomeAssistant:
    """A running Home Assistant."""

    folder: Path
    port: int
    process: Process
    session: aiohttp.ClientSession
    token: str = ""
    socket: aiohttp.ClientWebSocketResponse | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    """What came of the events that were subscribed to."""
    _number: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.folder / "output.log"

    async def wait_started(self) -> None:
        """Wait until it serves HTTP, log in, and wait until it runs. Raises HomeAssistantError."""
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._wait_http()
                await self._log_in()
                while (await self.call("get_config"))["state"] != "RUNNING":
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise HomeAssistantError(
                f"not started within {START_LIMIT:g} s; see {self.log}"
            ) from None

    async def _wait_http(self) -> None:
        while self.process.returncode is None:
            with suppress(aiohttp.ClientError):
                async with self.session.get(f"{self.url}/auth/providers") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
        raise HomeAssistantError(f"ended with code {self.process.returncode}; see {self.log}")

    async def _log_in(self) -> None:
        client_id = f"{self.url}/"
        begin = {
            "client_id": client_id,
            "handler": ["homeassistant", None],
            "redirect_uri": client_id,
        }
        flow = await self.post("/auth/login_flow", begin)
        answer = await self.post(
            f"/auth/login_flow/{flow['flow_id']}",
            {"client_id": client_id, "username": USER, "password": USER},
        )
        form = {
            "grant_type": "authorization_code",
            "code": answer["result"],
            "client_id": client_id,
        }
        async with self.session.post(f"{self.url}/auth/token", data=form) as response:
            self.token = (await response.json())["access_token"]
        self.socket = await self.session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0)
        await self.socket.receive_json()
        await self.socket.send_json({"type": "auth", "access_token": self.token})
        await self.socket.receive_json()

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON and return JSON. Raises HomeAssistantError."""
        return await self._request("POST", path, body)

    async def get(self, path: str) -> dict[str, Any]:
        """Return the JSON that is there. Raises HomeAssistantError."""
        return await self._request("GET", path, None)

    async def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with (
            asyncio.timeout(CALL_LIMIT),
            self.session.request(
                method, f"{self.url}{path}", json=body, headers=headers
            ) as response,
        ):
            if response.status >= 400:
                raise HomeAssistantError(f"{path}: {response.status} {await response.text()}")
            answer: dict[str, Any] = await response.json()
            return answer

    async def call(self, kind: str, **options: Any) -> Any:
        """Call the WebSocket API. Raises HomeAssistantError."""
        assert self.socket is not None
        self._number += 1
        number = self._number
        await self.socket.send_json({"id": number, "type": kind, **options})
        async with asyncio.timeout(CALL_LIMIT):
            while True:
                message = await self.socket.receive_json()
                if message["type"] == "event":
                    self.events.append(message["event"])
                if message.get("id") == number and message["type"] == "result":
                    if not message["success"]:
                        raise HomeAssistantError(f"{kind}: {message['error']}")
                    return message["result"]

    async def reload(self, entry_id: str) -> None:
        """Load an entry anew. Raises HomeAssistantError."""
        await self.post(f"/api/config/config_entries/entry/{entry_id}/reload", {})

    async def diagnostics(self, entry_id: str) -> dict[str, Any]:
        """Return what the diagnostics download of an entry holds. Raises HomeAssistantError."""
        answer = await self.get(f"/api/diagnostics/config_entry/{entry_id}")
        data: dict[str, Any] = answer["data"]
        return data

    async def act(self, action: str, **data: Any) -> dict[str, Any]:
        """Call an action of BluPow and return what it returns. Raises HomeAssistantError."""
        answer = await self.call(
            "call_service",
            domain="blupow",
            service=action,
            service_data=data,
            return_response=True,
        )
        response: dict[str, Any] = answer["response"]
        return response

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all states by entity id."""
        return {state["entity_id"]: state for state in await self.call("get_states")}

    async def wait_for(
        self, what: str, look: Callable[[], Awaitable[Any]], limit: float = 60.0, pause: float = 0.1
    ) -> Any:
        """Look until something true is seen, and return it. Raises HomeAssistantError."""
        try:
            async with asyncio.timeout(limit):
                while not (seen := await look()):
                    await asyncio.sleep(pause)
                return seen
        except TimeoutError:
            raise HomeAssistantError(f"not seen within {limit:g} s: {what}") from None

    async def discovered(self, limit: float = 60.0, *, name: str = "") -> dict[str, Any]:
        """Return the flow of a device that was discovered, whose name begins so."""

        async def look() -> dict[str, Any] | None:
            for flow in await self.call("config_entries/flow/progress"):
                context = flow["context"]
                if flow["handler"] == "blupow" and context["source"] == "bluetooth":
                    found: dict[str, Any] = flow
                    if context["title_placeholders"]["name"].startswith(name):
                        return found
            return None

        flow: dict[str, Any] = await self.wait_for("a discovered device", look, limit)
        return flow

    async def answer_flow(
        self, flow_id: str, body: dict[str, Any], kind: str = "flow"
    ) -> dict[str, Any]:
        """Answer a step of a config or subentry flow; return the next step that asks, or the end."""
        path = f"/api/config/config_entries/{kind}/{flow_id}"
        result = await self.post(path, body)
        async with asyncio.timeout(CALL_LIMIT):
            while result["type"] == "progress":
                await asyncio.sleep(0.1)
                result = await self.get(path)
        return result

    async def add(self, handler: str, **answers: Any) -> dict[str, Any]:
        """Add an integration whose flow asks one question. Raises HomeAssistantError."""
        flow = await self.post("/api/config/config_entries/flow", {"handler": handler})
        result = await self.answer_flow(flow["flow_id"], answers)
        if result["type"] != "create_entry":
            raise HomeAssistantError(f"{handler} could not be added: {result.get('errors')}")
        return result

    async def set_options(self, entry_id: str, options: dict[str, Any]) -> None:
        """Change an entry's options through its options flow, which has sections. Raises HomeAssistantError."""
        path = "/api/config/config_entries/options/flow"
        flow = await self.post(path, {"handler": entry_id})
        answers = {
            section["name"]: {
                field["name"]: options[field["name"]]
                for field in section["schema"]
                if field["name"] in options
            }
            for section in flow["data_schema"]
        }
        result = await self.post(f"{path}/{flow['flow_id']}", answers)
        if result["type"] != "create_entry":
            raise HomeAssistantError(f"options refused: {result.get('errors')}")

    async def stop(self) -> int:
        """Stop it as systemd would; return its exit code."""
        if self.socket is not None:
            await self.socket.close()
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_LIMIT):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@asynccontextmanager
async def home_assistant(
    folder: Path,
    bus_address: str,
    port: int,
    *,
    adapters: list[str],
    log_level: str = "info",
    module: str = "homeassistant",
) -> AsyncIterator[HomeAssistant]:
    """Run Home Assistant on a bus, by a module that starts it. Raises HomeAssistantError."""
    await make_folder(folder, port, adapters=adapters, log_level=log_level)
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("SUPERVISOR", "NOTIFY_SOCKET")
    }
    environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus_address
    environment.pop("PYTHONPATH", None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, "-c", str(folder)),
            *("--skip-pip", "--log-no-color"),
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    async with aiohttp.ClientSession() as session:
        running = HomeAssistant(folder, port, process, session)
        try:
            await running.wait_started()
            yield running
        finally:
            await running.stop()
