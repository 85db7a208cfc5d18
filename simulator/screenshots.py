"""`python -m simulator.screenshots`: the pictures of the documents, taken in a real browser."""

import argparse
import asyncio
from pathlib import Path
import sys
import tempfile
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from .__main__ import ADAPTER_ADDRESS
from .control import ControlClient, control
from .home_assistant import USER, HomeAssistant, free_port, home_assistant
from .process import simulator

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "images"
# Chromium looks for its maker's servers unless it is told not to.
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
IMPATIENT: Final = {
    "update_interval": 10,
    "cache_time": 20,
    "grace_time": 20,
    "may_be_off": False,
    "route": "automatic",
    "heartbeat_interval": 10,
    "stale_age": 20,
    "stale_checks": 10,
    "recovery_limit": 10,
    "notify_on_recovery": False,
    "allow_changes": False,
    "source_dwell": 600,
    "log_file": False,
}
"""Options with which a repair does not take minutes to come."""
INVERTER: Final = "BTRIC134000035"
HUB: Final = "BT-TH"
CHARGER: Final = "RNGRIU"
"""An inverter with settings that were tried on hardware."""
LIMIT: Final = 60_000.0
SETTLE: Final = 3_000.0
"""Icons and maps of the page arrive a little later; nothing announces them."""


async def log_in(browser: Browser, running: HomeAssistant) -> Page:
    """Log in as a person would."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 1180}, locale="en-US", color_scheme="light"
    )
    page = await context.new_page()
    page.set_default_timeout(LIMIT)
    await page.goto(running.url)
    await page.locator('input[name="username"]').fill(USER)
    await page.locator('input[name="password"]').fill(USER)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "/auth/" not in url)
    await page.locator("home-assistant-main").wait_for(state="attached")
    return page


async def show_discovered(page: Page, running: HomeAssistant, folder: Path) -> str:
    """Show the discovered inverter; return its flow."""
    flow = await running.discovered(name=INVERTER)
    await page.goto(f"{running.url}/config/integrations/dashboard")
    await page.get_by_text(INVERTER).first.wait_for()
    await page.get_by_text("Discovered").first.wait_for()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "discovered.png")
    flow_id: str = flow["flow_id"]
    return flow_id


async def show_device(page: Page, running: HomeAssistant, folder: Path) -> None:
    """Show the device's page, once its values are there."""
    devices = await running.call("config/device_registry/list")
    device = next(item for item in devices if item["name"] == INVERTER and item["model"])
    await page.goto(f"{running.url}/config/devices/device/{device['id']}")
    await page.get_by_text("RIV1230RCH-SPS").first.wait_for()
    await page.get_by_text("Battery voltage").first.wait_for()
    await page.get_by_text("Solar power").first.wait_for()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "device.png", full_page=True)


async def open_integration(page: Page, running: HomeAssistant) -> None:
    """Go to the page of the integration, with all its entries."""
    await page.goto(f"{running.url}/config/integrations/integration/blupow")
    await page.get_by_text(INVERTER).first.wait_for()
    await page.wait_for_timeout(SETTLE)


async def show_options(page: Page, running: HomeAssistant, folder: Path) -> None:
    """Show the options in their sections, all of them open."""
    await open_integration(page, running)
    row = page.locator("ha-config-entry-row", has_text=INVERTER)
    await row.get_by_label("Configure").click()
    await page.get_by_text("Update interval").first.wait_for()
    await page.get_by_text("Connection", exact=True).last.click()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "options.png")
    await page.keyboard.press("Escape")


async def show_controls(
    page: Page, running: HomeAssistant, radio: ControlClient, folder: Path
) -> None:
    """Allow changes as a user does, change a number, see it confirmed, and one that is not."""
    flow = await running.discovered(name=CHARGER)
    await running.answer_flow(flow["flow_id"], {})
    await open_integration(page, running)
    await page.locator("ha-config-entry-row", has_text=CHARGER).get_by_label("Configure").click()
    await page.get_by_text("Changes", exact=True).last.click()
    await page.locator("ha-selector-boolean", has_text="Allow changes").locator("ha-switch").click()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "allow_changes.png")
    await page.get_by_text("Submit").last.click()
    await page.get_by_text("Options successfully saved").first.wait_for()
    await page.keyboard.press("Escape")
    devices = await running.call("config/device_registry/list")
    device = next(item for item in devices if item["name"].startswith(CHARGER))
    await page.goto(f"{running.url}/config/devices/device/{device['id']}")
    row = page.locator("hui-number-entity-row", has_text="AC charge current")
    await row.first.wait_for()
    entered = row.first.locator("input").first
    await entered.fill("25")
    await entered.press("Enter")
    entity = f"number.{device['name'].lower()}_ac_charge_current"

    async def confirmed() -> bool:
        return bool((await running.states())[entity]["state"] == "25.0")

    await running.wait_for("the change", confirmed, 60)
    await page.wait_for_timeout(SETTLE)
    await page.locator("ha-card", has_text="AC charge current").first.screenshot(
        path=folder / "controls.png"
    )
    await radio.do("writes", habit="forgets")
    await entered.fill("40")
    await entered.press("Enter")
    await page.get_by_text("did not keep 40 for AC charge current").first.wait_for()
    await page.screenshot(path=folder / "not_kept.png")
    await radio.do("writes", habit="keeps")


async def show_units(page: Page, running: HomeAssistant, folder: Path) -> None:
    """Show the search for units behind the hub, and the units that were added."""
    flow = await running.discovered(name=HUB)
    await running.answer_flow(flow["flow_id"], {})
    await open_integration(page, running)
    await page.get_by_text("Add unit").first.click()
    await page.get_by_text(HUB).last.click()
    await page.get_by_text("Find other units").first.wait_for()
    await page.get_by_text("Submit").last.click()
    await page.get_by_text("Searching for units").first.wait_for()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "search.png")
    await page.get_by_text("Charge controller").first.wait_for(timeout=2 * LIMIT)
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "add_units.png")
    await page.get_by_text("Submit").last.click()
    await page.wait_for_timeout(SETTLE)
    await open_integration(page, running)
    await page.get_by_text("Battery 49").first.wait_for()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "units.png")


async def show_repair(
    page: Page, running: HomeAssistant, radio: ControlClient, folder: Path
) -> None:
    """Show the repair of an inverter that another program holds, and its form."""
    entries = await running.call("config_entries/get", domain="blupow")
    (entry,) = [entry for entry in entries if entry["title"] == INVERTER]
    await running.set_options(entry["entry_id"], IMPATIENT)
    await radio.fault("refuses")

    async def look() -> bool:
        issues = (await running.call("repairs/list_issues"))["issues"]
        return any(issue["translation_key"] == "held_by_other" for issue in issues)

    await running.wait_for("the repair", look, 120)
    await page.goto(f"{running.url}/config/repairs")
    await page.get_by_text("is held by another program").first.click()
    await page.get_by_text("Close the Renogy app").first.wait_for()
    await page.wait_for_timeout(SETTLE)
    await page.screenshot(path=folder / "repair.png")


async def take(program: str, folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="blupow-") as temporary:
        async with (
            simulator(Path(temporary) / "bus", "--also", "hub", "--also", "riv4835") as devices,
            control(devices.bus_address) as radio,
            home_assistant(
                Path(temporary) / "config",
                devices.bus_address,
                free_port(),
                adapters=[ADAPTER_ADDRESS.format(0x13)],
            ) as running,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            try:
                page = await log_in(browser, running)
                flow_id = await show_discovered(page, running, folder)
                await running.answer_flow(flow_id, {})
                await show_device(page, running, folder)
                await show_options(page, running, folder)
                await show_units(page, running, folder)
                await show_controls(page, running, radio, folder)
                await show_repair(page, running, radio, folder)
            finally:
                await browser.close()


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    parser.add_argument("--browser", required=True, help="the Chromium to use")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go (docs/images)")
    options = parser.parse_args()
    asyncio.run(take(options.browser, options.folder))
    print(f"pictures in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
