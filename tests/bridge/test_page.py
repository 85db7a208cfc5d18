"""The page, in a real browser: what it shows is what the bridge says, and no older than it looks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import re
import shutil
import subprocess
from typing import Any, Final
from urllib.parse import urlsplit

from blupow_ble.protocol.errors import ErrorCode, ReaderError
from blupow_bridge.http import app as app_module, socket as socket_module
from blupow_bridge.http.app import PAGE, WebServer
from blupow_bridge.http.auth import Token
from blupow_bridge.mqtt.causes import Cause
from blupow_bridge.mqtt.diagnostics import EventKind
from blupow_bridge.store.writer import Row
from playwright.async_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    WebSocketRoute,
    async_playwright,
    expect,
)
import pytest

from simulator.mosquitto import Mosquitto

from .conftest import Served, serve

BROWSER: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "chromium",
)
ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
LIMIT: Final = 30_000.0
DEVICES: Final = (
    {"name": "Inverter", "virtual": True, "profile": "inverter", "model": "RIV1230RCH"},
    {"name": "Battery", "virtual": True, "profile": "battery", "model": "SMART"},
)
"""A device whose model is known is read once, not twice."""
LOST: Final = "Connection to the bridge lost, trying again"


@pytest.fixture(scope="module")
def browser_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return where a browser is that all tests share, each with a profile of its own."""
    folder = tmp_path_factory.mktemp("browser")
    with subprocess.Popen(
        [BROWSER, *ARGUMENTS, f"--user-data-dir={folder}", "--remote-debugging-port=0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"ws://\S+", line) for line in process.stderr)), None)
        assert found is not None, "the browser has not started"
        yield found.group()
        process.terminate()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Return a bridge whose two virtual devices were read."""
    async with serve(tmp_path, DEVICES) as found:
        await found.wait_read()
        yield found


@pytest.fixture
async def browser(browser_url: str) -> AsyncIterator[Browser]:
    """Return the browser."""
    expect.set_options(timeout=LIMIT)
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(browser_url)


class Watched:
    """A page, and what it should not do."""

    def __init__(self, page: Page, url: str) -> None:
        """Watch a page of a bridge."""
        self.page = page
        self.url = url
        self.errors: list[str] = []
        self.failed: list[str] = []
        self.hosts: set[str] = set()
        self.addresses: list[str] = []
        page.set_default_timeout(LIMIT)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("requestfailed", lambda request: self.failed.append(request.url))
        page.on("request", lambda request: self._go(request.url))
        page.on("websocket", lambda found: self._go(found.url))
        page.on(
            "response",
            lambda response: self.failed.append(response.url) if response.status >= 400 else None,
        )

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _go(self, url: str) -> None:
        self.addresses.append(url)
        self.hosts.add(urlsplit(url).netloc)

    @property
    def banner(self) -> Locator:
        """What tells that the bridge is gone."""
        return self.page.locator("#banner")

    def device(self, device_id: str = "virtual_inverter") -> Locator:
        """Return the card of a device."""
        return self.page.locator(f"[data-device={device_id}]")

    def value(self, key: str, device_id: str = "virtual_inverter") -> Locator:
        """Return where a value is shown."""
        return self.device(device_id).locator(f"dd[data-key={key}]")

    async def log_in(self, token: str) -> None:
        """Log in as a person does."""
        await self.page.goto(self.url)
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Log in").click()

    async def brightness(self) -> int:
        """Return how bright the background is, of 255."""
        color = await self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return max(int(part) for part in re.findall(r"\d+", color)[:3])

    async def fits(self, width: int) -> bool:
        """Whether a window of that width need not be scrolled sideways."""
        found = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert found[1] == width
        return bool(found[0] <= width)


@asynccontextmanager
async def watched(browser: Browser, served: Served, **options: Any) -> AsyncIterator[Watched]:
    """Open a page that knows nothing yet, and close it before its bridge ends."""
    context: BrowserContext = await browser.new_context(locale="en-US", **options)
    try:
        yield Watched(await context.new_page(), served.url)
    finally:
        await context.close()


@pytest.fixture
async def page(browser: Browser, served: Served) -> AsyncIterator[Watched]:
    """Return the page, logged in, with its devices."""
    async with watched(browser, served) as found:
        await found.log_in(served.secret)
        await expect(found.value("battery_voltage")).not_to_have_text("—")
        yield found


def shown(value: Any, unit: str) -> str:
    """Return a number as the page writes it."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".").replace("-", "\u2212")
    return f"{text}%" if unit == "%" else f"{text}\u00a0{unit}"


def failing(code: ErrorCode, message: str) -> Callable[..., Any]:
    """Return a reading that fails."""

    async def read(*_: object, **__: object) -> None:
        raise ReaderError(code, message)

    return read


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition in this process."""
    async with asyncio.timeout(LIMIT / 1000):
        while not condition():
            await asyncio.sleep(0.01)


async def test_log_in(browser: Browser, served: Served) -> None:
    """Only the token opens the page; it stands in no address and is kept nowhere."""
    async with watched(browser, served) as found:
        await found.log_in("not the token")
        await expect(found.page.get_by_role("alert")).to_have_text(
            "This is not the token of the bridge."
        )
        await expect(found.device()).to_have_count(0)
        await expect(found.page.get_by_label("Token")).to_be_focused()
        await found.page.keyboard.type(served.secret)
        await found.page.keyboard.press("Enter")
        await expect(found.device()).to_be_visible()
        await expect(found.page.get_by_label("Token")).to_be_hidden()
        await expect(found.page.get_by_role("heading", level=1)).to_have_text("Van")
        await found.page.reload()
        await expect(found.device()).to_be_visible()
        kept = await found.page.evaluate(
            "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
        )
        assert kept == f'[{{}},{{}},"","{served.url}/"]'
        assert not any(served.secret in address for address in found.addresses)
        await found.page.get_by_role("button", name="Log out").click()
        await expect(found.page.get_by_label("Token")).to_be_visible()
        await expect(found.device()).to_have_count(0)
        await until(lambda: not served.hub.push.subscribers)
        await found.page.reload()
        await expect(found.page.get_by_label("Token")).to_be_visible()


async def test_values(page: Watched, served: Served) -> None:
    """Each value is what the bridge says, with its unit; names are readable."""
    for device_id in ("virtual_inverter", "virtual_battery"):
        _, report = await served.ask("GET", f"/api/v1/devices/{device_id}")
        _, found = await served.ask("GET", f"/api/v1/devices/{device_id}/fields")
        values = report["reading"]["units"][""]["values"]
        checked = 0
        for field in found["units"][0]["fields"]:
            if field["unit_of_measurement"] and field["key"] in values:
                text = shown(values[field["key"]], field["unit_of_measurement"])
                await expect(page.value(field["key"], device_id)).to_have_text(text)
                checked += 1
        assert checked > 10
    inverter = page.device()
    await expect(inverter.locator("h2")).to_have_text("Inverter")
    await expect(inverter.locator(".model")).to_have_text("Inverter · RIV1230RCH-SPS")
    await expect(inverter.locator(".status")).to_have_text("Test mode")
    await expect(inverter.locator("[data-fact=success]")).to_have_text("100%")
    await expect(inverter.locator("[data-fact=rssi]")).to_have_text("—")
    await expect(inverter.locator(".alerts")).to_have_text("No faults")
    labels = await inverter.locator(".unit dt").all_text_contents()
    assert {"Battery voltage", "DC heatsink temperature", "Grid charging current"} <= set(labels)
    await expect(page.value("charging_status")).to_have_text("Constant voltage")
    await expect(page.value("fully_charged", "virtual_battery")).to_have_text("No")
    details = page.device("virtual_battery").locator("details")
    cell = page.value("cell_1_voltage", "virtual_battery")
    await expect(cell).to_be_hidden()
    await details.locator("summary").click()
    await expect(cell).to_be_visible()
    await expect(page.value("cell_5_voltage", "virtual_battery")).to_be_hidden()


async def test_live_readings(
    page: Watched, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading changes the values as it comes, and the chart; its faults are told in words."""
    device = served.hub.devices["virtual_inverter"]
    await expect(page.device().locator(".u-over")).to_be_visible()
    before = await page.value("solar_power").text_content()
    while shown(device.supervisor.own.value("solar_power"), "W") == before:
        await device.supervisor.poll()
    power = shown(device.supervisor.own.value("solar_power"), "W")
    await expect(page.value("solar_power")).to_have_text(power)
    chart = page.device().get_by_role("img", name="Chart of the last 24 hours.")
    await expect(chart).to_have_attribute(
        "aria-label", re.compile(rf"Solar power: .*, at the end {power}\.")
    )
    read = device._reader.reader.read

    async def faulty(*arguments: Any, **options: Any) -> Any:
        route, reading = await read(*arguments, **options)
        reading.units[""].values["faults"] = ["over_temperature", "<i>fan</i>"]
        return route, reading

    monkeypatch.setattr(device._reader.reader, "read", faulty)
    await device.supervisor.poll()
    await expect(page.device().locator(".alerts")).to_have_text(
        "Faults: Over temperature, <i>fan</i>"
    )


async def test_failures(page: Watched, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed poll shows why, and the values no longer look fresh; a good one ends that."""
    device = served.hub.devices["virtual_inverter"]
    why = page.device().locator(".why")
    await expect(why).to_be_hidden()
    fresh = await page.value("battery_voltage").evaluate("found => getComputedStyle(found).color")
    with monkeypatch.context() as patched:
        patched.setattr(
            device._reader.reader, "read", failing(ErrorCode.NO_RESPONSE, "nothing came")
        )
        await device.supervisor.poll()
        await expect(why).to_have_text(re.compile(r"^The last poll failed \(.+\): Nothing came\.$"))
    await expect(page.device()).to_have_attribute("data-freshness", "stale")
    stale = await page.value("battery_voltage").evaluate("found => getComputedStyle(found).color")
    assert stale != fresh
    await expect(page.device("virtual_battery")).to_have_attribute("data-freshness", "fresh")
    await device.supervisor.poll()
    await expect(why).to_be_hidden()
    await expect(page.device()).to_have_attribute("data-freshness", "fresh")


HELLO: Final = {"type": "hello", "name": "Van", "version": "1", "instance": "a", "resumed": False}


class Sockets:
    """Answers in place of the bridge's WebSocket."""

    def __init__(self, report: dict[str, Any], sequence: int) -> None:
        """Begin with a snapshot that has a number."""
        self.report = report
        self.sequence = sequence
        self.opened: list[WebSocketRoute] = []
        self.received: list[str | bytes] = []

    async def answer(self, route: WebSocketRoute) -> None:
        """Take a client."""
        self.opened.append(route)
        route.on_message(self._receive)
        self.send(HELLO)
        self.send({"type": "snapshot", "sequence": self.sequence, "devices": [self.report]})

    def _receive(self, text: str | bytes) -> None:
        self.received.append(text)

    def send(self, message: object) -> None:
        """Send to the client that came last."""
        self.opened[-1].send(json.dumps(message))

    def send_state(self, sequence: int, **changes: object) -> None:
        """Send another state of the device."""
        state = self.report["state"] | changes
        message = {"type": "state", "device": self.report["id"], "state": state}
        self.send({**message, "sequence": sequence})


@asynccontextmanager
async def scripted(
    browser: Browser, served: Served, sequence: int
) -> AsyncIterator[tuple[Watched, Sockets]]:
    """Open the page, logged in, where the test says what comes over the WebSocket."""
    sockets = Sockets(served.hub.devices["virtual_inverter"].report, sequence)
    async with watched(browser, served) as found:
        await found.page.clock.install(time=datetime.now(UTC))
        await found.page.route_web_socket("**/api/v1/ws*", sockets.answer)
        await found.log_in(served.secret)
        await expect(found.value("battery_voltage")).to_have_count(1)
        yield found, sockets


async def test_states(browser: Browser, served: Served) -> None:
    """Each state has its words; a value that serves no longer is not shown."""
    voltage = shown(
        served.hub.devices["virtual_inverter"].supervisor.own.value("battery_voltage"), "V"
    )
    async with scripted(browser, served, 0) as (found, sockets):
        for sequence, (status, text, freshness) in enumerate(
            (
                ("connected", "Connected", "fresh"),
                ("offline", "Offline", "stale"),
                ("disconnected", "Disconnected", "stale"),
                ("lost", "Lost", "absent"),
                ("not_heard", "Not heard", "absent"),
            ),
            1,
        ):
            sockets.send_state(sequence, status=status, rssi=-67, success_rate=98.5)
            await expect(found.device().locator(".status")).to_have_text(text)
            await expect(found.device()).to_have_attribute("data-freshness", freshness)
            await expect(found.value("battery_voltage")).to_have_text(
                "—" if freshness == "absent" else voltage
            )
        await expect(found.device().locator("[data-fact=rssi]")).to_have_text(shown(-67, "dBm"))
        await expect(found.device().locator("[data-fact=success]")).to_have_text("98.5%")
        reading = sockets.report["reading"] | {"age": 7300.0}
        state = sockets.report["state"] | {"status": "connected"}
        message = {"type": "reading", "device": "virtual_inverter", "sequence": 9}
        sockets.send({**message, "state": state, "reading": reading})
        await expect(found.device().locator(".status")).to_have_text("Connected")
        await expect(found.device().locator("[data-fact=age]")).to_have_text(
            re.compile(r"^2\sh 1\smin ago$")
        )
        await expect(found.device()).to_have_attribute("data-freshness", "stale")


async def test_messages_once(browser: Browser, served: Served) -> None:
    """A message that came before is left aside; a change of state is told to screen readers."""
    async with scripted(browser, served, 7) as (found, sockets):
        await found.page.evaluate(
            """said = [], new MutationObserver(() => said.push(announcement.textContent))
            .observe(announcement, {childList: true})"""
        )
        for sequence, name in ((7, "lost"), (8, "offline"), (8, "lost"), (9, "disconnected")):
            sockets.send_state(sequence, status=name, rssi=-sequence)
        await expect(found.device().locator("[data-fact=rssi]")).to_have_text(shown(-9, "dBm"))
        await expect(found.device().locator(".status")).to_have_text("Disconnected")
        said = await found.page.evaluate("said")
        assert said == ["Inverter: Offline.", "Inverter: Disconnected."]
        facts = {"worked": False, "seconds": 75.0}
        state = sockets.report["state"]
        event = {"type": "event", "device": "virtual_inverter", "event": "recovery", "state": state}
        sockets.send({**event, "sequence": 10, "facts": facts})
        await expect(found.device().locator(".outcome")).to_have_text(
            re.compile(r"^A recovery failed after 1\smin 15\ss\.$")
        )


async def test_age_and_silence(browser: Browser, served: Served) -> None:
    """The age counts up; a connection over which nothing comes is lost, and made anew."""
    async with scripted(browser, served, 5) as (found, sockets):
        age = found.device().locator("[data-fact=age]")
        await found.page.clock.fast_forward(20_000)
        await expect(age).to_have_text(re.compile(r"^2\d\ss ago$"))
        await until(lambda: sockets.received == ["ping"])
        await found.page.clock.fast_forward(30_000)
        await expect(found.banner).to_have_text(LOST)
        await expect(found.device()).to_have_attribute("data-freshness", "stale")
        await found.page.clock.fast_forward(2_000)
        await expect(found.banner).to_be_hidden()
        queries = [urlsplit(route.url).query for route in sockets.opened]
        assert queries == ["", "instance=a&after=5"]
        await expect(found.device()).to_have_attribute("data-freshness", "fresh")


# aiohttp begins its heartbeat anew when the client answers to the close
@pytest.mark.parametrize("expected_lingering_timers", [True])
async def test_bridge_that_goes_and_comes(
    browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A banner tells of it, the values look old meanwhile; what was missed is shown afterwards."""
    monkeypatch.setattr(socket_module, "TOKEN_CHECK", 0.05)
    monkeypatch.setattr(app_module, "STOP_LIMIT", 0.1)
    device = served.hub.devices["virtual_inverter"]
    http = served.hub.config.http.model_copy(update={"port": 0})
    first = WebServer(served.hub, served.token, http)
    port = await first.start()
    http = http.model_copy(update={"port": port})
    second, third = (WebServer(served.hub, served.token, http) for _ in range(2))
    served.port = port
    async with watched(browser, served) as found:
        try:
            await found.log_in(served.secret)
            await expect(found.value("battery_voltage")).not_to_have_text("—")
            served.hub.push.close()
            await first.stop()
            await expect(found.banner).to_have_text(LOST)
            await expect(found.device()).to_have_attribute("data-freshness", "stale")
            await expect(found.device().locator(".status")).to_have_text("Unknown")
            before = await found.value("solar_power").text_content()
            while shown(device.supervisor.own.value("solar_power"), "W") == before:
                await device.supervisor.poll()
            await second.start()
            await expect(found.banner).to_be_hidden()
            await expect(found.device()).to_have_attribute("data-freshness", "fresh")
            power = shown(device.supervisor.own.value("solar_power"), "W")
            await expect(found.value("solar_power")).to_have_text(power)
            secret = served.token.make()
            why = found.page.locator("#log-in-why")
            await expect(why).to_have_text("The bridge has a new token. Log in with it.")
            await found.page.get_by_label("Token").fill(secret)
            await found.page.keyboard.press("Enter")
            await expect(found.device()).to_be_visible()
            served.hub.push.close()
            await second.stop()
            await expect(found.banner).to_have_text(LOST)
            third = WebServer(served.hub, Token(served.hub.config.data), http)
            await third.start()  # as after a restart: it knows of no session
            await found.page.evaluate("dispatchEvent(new Event('online'))")
            await expect(why).to_have_text("The bridge has ended this session. Log in again.")
            await expect(found.banner).to_be_hidden()
        finally:
            await third.stop()


async def test_history(browser: Browser, served: Served) -> None:
    """The chart begins with what the store has; each day has what was counted on it."""
    now = datetime.now(UTC)
    battery = served.hub.devices["virtual_battery"]
    rows = [
        Row(battery.id, "", int((now - ago).timestamp() * 1000), {"battery_power": power, **energy})
        for ago, power, energy in (
            (timedelta(days=1, hours=2), 7.0, {"battery_energy_in": 1000.0}),
            (timedelta(hours=20), -4321.0, {"battery_energy_in": 1250.0}),
            (timedelta(hours=3), 1234.0, {"battery_energy_in": 1750.0}),
        )
    ]
    served.hub.store.add(rows)
    await until(lambda: not served.hub.store.writer.waiting)
    await served.hub.store.round()
    path = "/api/v1/devices/virtual_battery/history?resolution=day&from=2000-01-01T00:00:00Z"
    _, answer = await served.ask("GET", path)
    added = [row["values"]["battery_energy_in"]["added"] for row in answer["rows"]]
    assert sum(added) == 750
    async with watched(browser, served) as found:
        await found.log_in(served.secret)
        card = found.device("virtual_battery")
        chart = card.get_by_role("img", name="Chart of the last 24 hours.")
        name = re.compile("Battery power: \u22124,321\u00a0W to 1,234\u00a0W, at the end ")
        await expect(chart).to_have_attribute("aria-label", name)
        await expect(card.locator("caption")).to_have_text("Energy per day")
        await expect(card.locator("thead")).to_contain_text("Battery energy in (Wh)")
        cells = card.locator("td[data-key=battery_energy_in]")
        await expect(cells).to_have_text([f"{value:,.0f}" for value in reversed(added)])
        toggle = card.get_by_role("button", name="Battery power")
        await toggle.click()
        await expect(toggle).to_have_attribute("aria-pressed", "false")


async def test_reconnect_by_keyboard(
    page: Watched, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button is reached and used without a mouse, and tells what came of it."""
    device = served.hub.devices["virtual_inverter"]
    go_on = asyncio.Event()
    read = device._reader.reader.read

    async def slow(*arguments: Any, **options: Any) -> Any:
        await go_on.wait()
        return await read(*arguments, **options)

    button = page.device().locator(".reconnect")
    outcome = page.device().locator(".outcome")
    await page.page.locator("body").evaluate("() => document.activeElement.blur()")
    for _ in range(5):
        await page.page.keyboard.press("Tab")
        if await button.evaluate("found => found === document.activeElement"):
            break
    await expect(button).to_be_focused()
    outline = await button.evaluate("found => getComputedStyle(found).outlineStyle")
    assert outline == "solid"
    with monkeypatch.context() as patched:
        patched.setattr(device._reader.reader, "read", slow)
        await page.page.keyboard.press("Enter")
        await expect(button).to_be_disabled()
        await expect(button).to_have_text("Reconnecting…")
        go_on.set()
        await expect(outcome).to_have_text(
            re.compile(r"^Reconnected in [\d.]+\ss by step 1, closing the connection\.$")
        )
    await expect(button).to_be_enabled()
    await expect(button).to_be_focused()
    with monkeypatch.context() as patched:
        patched.setattr(
            device._reader.reader, "read", failing(ErrorCode.HELD_BY_OTHER, "a phone has it")
        )
        await page.page.keyboard.press("Space")
        await expect(outcome).to_have_text("Not reconnected. A phone has it.")


async def test_phone(browser: Browser, served: Served) -> None:
    """It fits into 360 px, with all that is folded open; in the dark it is dark, charts included."""
    size = {"width": 360, "height": 740}
    async with watched(browser, served, viewport=size, reduced_motion="reduce") as found:
        await found.page.goto(served.url)
        await expect(found.page.get_by_label("Token")).to_be_visible()
        assert await found.fits(360)
        await found.log_in(served.secret)
        await expect(found.device().locator(".u-over")).to_be_visible()
        for summary in await found.page.locator("summary:visible").all():
            await summary.click()
        assert await found.fits(360)
        canvas = found.device().locator("canvas")
        drawn = await canvas.evaluate("found => found.toDataURL()")
        assert await found.brightness() > 220
        await found.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert await found.brightness() < 40
        assert await canvas.evaluate("found => found.toDataURL()") != drawn
        meter = found.device().locator(".meter span")
        pause = await meter.evaluate("found => getComputedStyle(found).transitionDuration")
        assert pause == "0s"


async def test_units(browser: Browser, served: Served) -> None:
    """A further unit has a section of its own, which tells when it does not answer."""
    reports = [served.hub.devices[f"virtual_{key}"].report for key in ("inverter", "battery")]
    answers = [
        await served.ask("GET", f"/api/v1/devices/{report['id']}/fields") for report in reports
    ]
    own, other = (answer["units"][0] for _, answer in answers)
    hub, battery = reports
    hub["units"].append({**battery["units"][0], "key": "48", "unit_id": 48})
    hub["reading"]["units"]["48"] = battery["reading"]["units"][""]
    sockets = Sockets(hub, 0)
    async with watched(browser, served) as found:
        await found.page.route_web_socket("**/api/v1/ws*", sockets.answer)
        await found.page.route(
            "**/fields", lambda route: route.fulfill(json={"units": [own, {**other, "key": "48"}]})
        )
        await found.log_in(served.secret)
        first, second = (found.device().locator(f"[data-unit='{key}']") for key in ("", "48"))
        await expect(second.get_by_role("heading", level=3)).to_have_text(
            "Battery · RBT100LFP12-BT · unit 48"
        )
        for section, report in ((first, hub), (second, battery)):
            voltage = report["reading"]["units"][""]["values"]["battery_voltage"]
            await expect(section.locator("dd[data-key=battery_voltage]")).to_have_text(
                shown(voltage, "V")
            )
        reading = hub["reading"] | {"unresponsive": {"48": "no_response"}}
        reading["units"] = {"": reading["units"][""]}
        message = {"type": "reading", "device": hub["id"], "sequence": 1, "reading": reading}
        sockets.send({**message, "state": hub["state"]})
        await expect(second.locator(".not-answering")).to_have_text("This unit does not answer.")
        await expect(second.locator("dd[data-key=battery_voltage]")).to_have_text("—")
        await expect(second.locator(".alerts")).to_have_text("Faults: —")
        await expect(first.locator(".not-answering")).to_be_hidden()
        await expect(first.locator("dd[data-key=battery_voltage]")).not_to_have_text("—")


async def test_fields_that_cannot_be_had(browser: Browser, served: Served) -> None:
    """The card says so, and shows the values once they can be had."""
    sockets = Sockets(served.hub.devices["virtual_inverter"].report, 0)
    async with watched(browser, served) as found:
        await found.page.clock.install(time=datetime.now(UTC))
        await found.page.route_web_socket("**/api/v1/ws*", sockets.answer)
        error = {"error": {"code": "too_many_requests", "message": "too many"}}
        await found.page.route(
            "**/fields", lambda route: route.fulfill(status=429, json=error), times=1
        )
        await found.log_in(served.secret)
        outcome = found.device().locator(".outcome")
        await expect(outcome).to_have_text("The values cannot be shown. Too many.")
        await expect(found.value("battery_voltage")).to_have_count(0)
        await found.page.clock.fast_forward(10_000)
        await expect(found.value("battery_voltage")).not_to_have_text("—")
        await expect(outcome).to_be_hidden()


async def test_names_are_text(tmp_path: Path, browser: Browser) -> None:
    """A name that is HTML is shown as it is; a further device is told to all."""
    name = '<img src=x onerror="document.title=1"><b>'
    device = {"name": name, "virtual": True, "profile": "shunt", "model": "RTMShunt300"}
    async with serve(tmp_path, [device]) as served:
        await served.wait_read()
        served.hub.config = served.hub.config.model_copy(update={"name": name})
        async with watched(browser, served) as found:
            await found.log_in(served.secret)
            await expect(found.device("virtual_shunt").locator("h2")).to_have_text(name)
            await expect(found.page.get_by_role("heading", level=1)).to_have_text(name)
            await expect(found.page.locator("img:not(.top img), b")).to_have_count(0)
            await expect(found.value("battery_power", "virtual_shunt")).not_to_have_text("—")
            config = served.hub.config
            other = config.devices[0].model_copy(
                update={"profile": "battery", "model": "SMART", "name": "Other"}
            )
            await served.hub.reload(config.model_copy(update={"devices": (other,)}))
            await expect(found.device("virtual_battery").locator("h2")).to_have_text("Other")
            await expect(found.device("virtual_shunt")).to_have_count(0)
            await served.hub.reload(config.model_copy(update={"devices": ()}))
            await expect(found.page.locator("#empty")).to_be_visible()
            assert found.errors == []


async def test_footer_and_quiet(
    page: Watched, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells how the bridge is. Nothing goes wrong in the browser, which asks nobody else."""
    _, stats = await served.ask("GET", "/api/v1/stats")
    footer = page.page.locator("footer")
    await expect(footer).to_contain_text(f"Van, BluPow bridge {stats['version']}")
    await expect(footer).to_contain_text(re.compile(r"Runs for [\d\sa-z]+"))
    await expect(footer.locator("#store")).to_have_text("History is kept.")
    await expect(footer.get_by_role("link")).to_have_attribute("href", "/api/v1/openapi.json")
    await served.hub.devices["virtual_inverter"].supervisor.poll()
    await expect(page.device("virtual_battery").locator(".u-over")).to_be_visible()
    await page.page.wait_for_load_state("networkidle")
    monkeypatch.setattr(served.hub.store.writer, "problem", "the disk is full")
    monkeypatch.setattr(served.hub.store.writer, "lost", 12)
    await page.page.reload()
    await expect(footer.locator("#store")).to_have_text(
        "History: The disk is full. 12 readings were lost."
    )
    await expect(page.device("virtual_battery").locator(".u-over")).to_be_visible()
    await page.page.wait_for_load_state("networkidle")
    assert page.errors == []
    assert page.failed == []
    assert page.hosts == {urlsplit(served.url).netloc}


async def test_broker(tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the connection to it is, why there is none, and a button to begin anew; text stays text."""
    broker = Mosquitto(tmp_path / "mosquitto", users={"van": "new"})
    broker.start()
    secret = tmp_path / "password"
    secret.write_text("old")
    mqtt = {"host": "127.0.0.1", "port": broker.port, "username": "van", "password_file": secret}
    async with serve(tmp_path, DEVICES, mqtt=mqtt) as served:
        await served.wait_read()
        async with watched(browser, served, viewport={"width": 360, "height": 740}) as found:
            await found.log_in(served.secret)
            card = found.page.locator("#mqtt")
            await expect(card.locator("#mqtt-why")).to_contain_text(
                "Credentials refused: Not authorized. Next attempt in"
            )
            await expect(card.locator(".status")).to_have_text("Not connected")
            secret.write_text("new")
            await card.get_by_role("button", name="Connect now").click()
            await expect(card.locator(".status")).to_have_text("Connected")
            await expect(card.locator("#mqtt-broker")).to_have_text(
                f"127.0.0.1:{broker.port}, MQTT 5"
            )
            await expect(card.locator("#mqtt-why")).to_be_hidden()
            await expect(card.get_by_role("button", name="Connect now")).to_be_hidden()
            await card.locator("summary").click()
            rows = card.locator("tbody tr")
            await expect(rows.first).to_contain_text("Connected")
            await expect(rows.last).to_contain_text("Credentials refused: Not authorized.")
            assert await found.fits(360)
            publisher = served.hub.mqtt
            assert publisher is not None
            publisher.connection.diagnostics.note(
                EventKind.ATTEMPT_FAILED, cause=Cause.CLOSED, message="<b>bold</b>"
            )
            await expect(rows.first).to_contain_text("Closed: <b>bold</b>.")
            await found.page.get_by_role("button", name="Log out").click()
            await expect(card).to_be_hidden()
            assert found.errors == []
    broker.stop()


async def test_no_broker(page: Watched) -> None:
    """Where none is configured, nothing is told of one."""
    await expect(page.page.locator("footer #store")).to_have_text("History is kept.")
    await expect(page.page.locator("#mqtt")).to_be_hidden()


async def test_files(served: Served) -> None:
    """All files of the page come from the bridge without a token, with the types that browsers want."""
    types = {
        ".html": "text/html",
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
    }
    files = [path for path in PAGE.rglob("*") if path.suffix in types]
    assert len(files) > 10
    for path in files:
        address = f"{served.url}/page/{path.relative_to(PAGE)}"
        async with served.session.get(address) as answer:
            assert (answer.status, answer.content_type) == (200, types[path.suffix])
            assert await answer.read() == path.read_bytes()
    async with served.session.get(f"{served.url}/favicon.ico") as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
