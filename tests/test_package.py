"""What HACS and Home Assistant's own validation look at: manifest, texts, icons, images, imports."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import hass_frontend
from PIL import Image
import pytest
import yaml

from custom_components.blupow.bank_sensors import BANK_SENSORS
from custom_components.blupow.button import RECONNECT
from custom_components.blupow.const import DOMAIN, EARLY_PLATFORMS, PLATFORMS, SUBENTRY_UNIT
from custom_components.blupow.descriptions import describe_sensor
from custom_components.blupow.event import CONNECTION
from custom_components.blupow.events import short_name
from custom_components.blupow.issues import NOT_FIXABLE, IssueKind
from custom_components.blupow.lib.blupow_ble.profiles import MANUFACTURER_ID, PROFILES, presentation
from custom_components.blupow.lib.blupow_ble.profiles.declaration import FaultGroup, Field, Kind
from custom_components.blupow.lib.blupow_ble.profiles.setting import OFF, ON, Evidence, SettingKind
from custom_components.blupow.lib.blupow_ble.profiles.setting_rules import Reason
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.supervisor.policies import ConnectionStatus
from custom_components.blupow.lib.blupow_ble.supervisor.protocols import LinkEvent, ScheduleEvent
from custom_components.blupow.lib.blupow_ble.supervisor.schedule import (
    CHARGE_WINDOW_CURRENT,
    MINIMUM_SOC,
    SCHEDULE_KEYS,
    TIMES,
    WINDOWS,
    Mode,
    Wait,
)
from custom_components.blupow.link_sensors import LINK_SENSORS
from custom_components.blupow.options import EntryOptions, RouteChoice
from custom_components.blupow.options_flow import OPTIONS_SCHEMA
from custom_components.blupow.reconfigure_flow import AUTOMATIC
from custom_components.blupow.services import Action
from custom_components.blupow.setting_entities import SCHEDULE
from custom_components.blupow.setting_services import SETTING_ACTIONS, UPDATE_SETTINGS
from custom_components.blupow.unit_flow import SEARCH
from homeassistant.components.bluetooth.match import ble_device_matches
from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.helpers.translation import async_get_translations
from homeassistant.loader import async_get_integration
from homeassistant.setup import async_setup_component

from .helpers.bluetooth import service_info

ROOT = Path(__file__).resolve().parent.parent
COMPONENT = ROOT / "custom_components" / "blupow"
MANIFEST: dict[str, Any] = json.loads((COMPONENT / "manifest.json").read_text())
ENGLISH: dict[str, Any] = json.loads((COMPONENT / "translations" / "en.json").read_text())
ICONS: dict[str, Any] = json.loads((COMPONENT / "icons.json").read_text())
QUALITY: dict[str, Any] = yaml.safe_load((COMPONENT / "quality_scale.yaml").read_text())["rules"]

MANIFEST_KEYS = {
    "after_dependencies",
    "domain",
    "name",
    "bluetooth",
    "codeowners",
    "config_flow",
    "dependencies",
    "documentation",
    "integration_type",
    "iot_class",
    "issue_tracker",
    "loggers",
    "requirements",
    "zeroconf",
    "version",
}
BRONZE = {
    "action-setup",
    "appropriate-polling",
    "brands",
    "common-modules",
    "config-flow",
    "config-flow-test-coverage",
    "dependency-transparency",
    "docs-actions",
    "docs-conditions",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-removal-instructions",
    "docs-triggers",
    "entity-event-setup",
    "entity-unique-id",
    "has-entity-name",
    "runtime-data",
    "test-before-configure",
    "test-before-setup",
    "unique-config-entry",
}
SILVER = {
    "action-exceptions",
    "config-entry-unloading",
    "docs-configuration-parameters",
    "docs-installation-parameters",
    "entity-unavailable",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "test-coverage",
}
GOLD = {
    "devices",
    "diagnostics",
    "discovery",
    "discovery-update-info",
    "docs-data-update",
    "docs-examples",
    "docs-known-limitations",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-translations",
    "exception-translations",
    "icon-translations",
    "reconfiguration-flow",
    "repair-issues",
    "stale-devices",
}
PLATINUM = {"async-dependency", "inject-websession", "strict-typing"}

MODELS = [
    (profile, profile.register_map(model))
    for profile in PROFILES.values()
    for model in profile.models
]
SENSORS: list[SensorEntityDescription] = [
    *LINK_SENSORS,
    *BANK_SENSORS,
    *(
        describe_sensor(
            presentation.of_field(item)
            if isinstance(item, Field)
            else presentation.of_computed(item)
        )
        for _, register_map in MODELS
        for item in presentation.sensors_of(register_map)
    ),
    *(
        describe_sensor(presentation.of_estimate(item))
        for profile, _ in MODELS
        for item in profile.estimates
    ),
    *(
        describe_sensor(presentation.of_worst_fault(profile))
        for profile, _ in MODELS
        if profile.faults
    ),
]
FLAGS = {
    field.key: field
    for _, register_map in MODELS
    for field in register_map.fields
    if field.kind is Kind.FLAG
}


def texts(tree: Any) -> Iterator[str]:
    """Go through all texts of a tree."""
    if isinstance(tree, str):
        yield tree
    else:
        for value in tree.values():
            yield from texts(value)


def test_manifest() -> None:
    """Known keys in their order, a valid version, links that are no Home Assistant page."""
    assert set(MANIFEST) == MANIFEST_KEYS
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert MANIFEST["domain"] == DOMAIN == COMPONENT.name
    assert MANIFEST["requirements"] == []
    assert MANIFEST["dependencies"] == ["bluetooth_adapters"]
    assert AwesomeVersion(MANIFEST["version"]).strategy is AwesomeVersionStrategy.SEMVER
    assert f'version = "{MANIFEST["version"]}"' in (ROOT / "pyproject.toml").read_text()
    for key in ("documentation", "issue_tracker"):
        assert MANIFEST[key].startswith("https://")
        assert "home-assistant.io" not in MANIFEST[key]
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])


def test_bluetooth_matchers() -> None:
    """No wildcard in the first three characters; every name of a profile is found, and no other."""
    *matchers, by_manufacturer = MANIFEST["bluetooth"]
    assert by_manufacturer == {"connectable": True, "manufacturer_id": MANUFACTURER_ID}
    for matcher in matchers:
        assert set(matcher) == {"connectable", "local_name"}
        assert not set("*?[") & set(matcher["local_name"][:3])
    for profile in PROFILES.values():
        for prefix in profile.name_prefixes:
            info = service_info(f"{prefix}134000035")
            assert any(ble_device_matches(matcher, info) for matcher in matchers), prefix
    module = service_info("BT-TH-6A667ED4")
    assert any(ble_device_matches(matcher, module) for matcher in matchers)
    for name in ("RNGSHUNT500A1", "BTRX1", "BT-T", "Kitchen"):
        assert not any(ble_device_matches(matcher, service_info(name)) for matcher in matchers)


def test_hacs() -> None:
    """Only keys that HACS knows; the release that the workflow makes is the one it looks for."""
    hacs = json.loads((ROOT / "hacs.json").read_text())
    assert set(hacs) <= {
        "name",
        "homeassistant",
        "hacs",
        "zip_release",
        "filename",
        "hide_default_branch",
        "persistent_directory",
        "content_in_root",
        "country",
        "render_readme",
    }
    assert hacs["name"] == MANIFEST["name"]
    assert hacs["filename"] in (ROOT / ".github" / "workflows" / "release.yml").read_text()
    integrations = [path.parent.name for path in ROOT.glob("custom_components/*/manifest.json")]
    assert integrations == [DOMAIN]


def test_quality_scale() -> None:
    """All 54 rules, each with a known status; the manifest claims the tier that is met, or none."""
    assert len(BRONZE | SILVER | GOLD | PLATINUM) == 54
    assert set(QUALITY) == BRONZE | SILVER | GOLD | PLATINUM
    met = set()
    for rule, value in QUALITY.items():
        status = value if isinstance(value, str) else value["status"]
        assert status in {"done", "todo", "exempt"}, rule
        if status != "done":
            assert value["comment"], rule
        if status != "todo":
            met.add(rule)
    tiers = {"bronze": BRONZE, "silver": BRONZE | SILVER, "gold": BRONZE | SILVER | GOLD}
    tiers["platinum"] = tiers["gold"] | PLATINUM
    best = next((tier for tier in reversed(tiers) if tiers[tier] <= met), None)
    assert MANIFEST.get("quality_scale") == best


TRANSLATION_KEYS = {
    "config",
    "config_subentries",
    "options",
    "selector",
    "entity",
    "exceptions",
    "issues",
    "services",
    "system_health",
}
FLOW_KEYS = {"step", "error", "abort", "progress", "flow_title", "create_entry"}
STEP_KEYS = {"title", "description", "data", "data_description", "menu_options", "sections"}
ENTITY_KEYS = {"name", "state", "state_attributes", "unit_of_measurement"}


def test_structure_of_the_texts() -> None:
    """As Home Assistant's own validator has it: a key that it does not know is refused there."""
    assert set(ENGLISH) == TRANSLATION_KEYS | {"common"}
    flows = [ENGLISH["config"], ENGLISH["options"]]
    for subentry in ENGLISH["config_subentries"].values():
        own = {"initiate_flow", "entry_type"}
        assert own <= set(subentry) <= own | FLOW_KEYS
        flows.append({key: value for key, value in subentry.items() if key in FLOW_KEYS})
    for flow in flows:
        assert set(flow) <= FLOW_KEYS
        for step in flow["step"].values():
            assert set(step) <= STEP_KEYS
            for fields in step.get("sections", {}).values():
                assert set(fields) <= {"name", "description", "data", "data_description"}
    for platform in ENGLISH["entity"].values():
        for entity in platform.values():
            assert set(entity) <= ENTITY_KEYS
            for state in entity.get("state", {}):
                assert re.fullmatch(r"[a-z0-9-_]+", state)
    for message in ENGLISH["exceptions"].values():
        assert set(message) == {"message"}
    for issue in ENGLISH["issues"].values():
        assert set(issue) <= {"title", "description", "fix_flow"}
    for action in ENGLISH["services"].values():
        assert set(action) <= {"name", "description", "fields", "sections"}
    for selector in ENGLISH["selector"].values():
        assert set(selector) <= {"options", "choices", "unit_of_measurement", "fields"}


async def test_home_assistant_reads_the_actions(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own schema takes services.yaml: what it refuses would have no form."""
    assert await async_setup_component(hass, DOMAIN, {})
    described = (await async_get_all_descriptions(hass))[DOMAIN]
    assert "Unable to parse services.yaml" not in caplog.text
    for action in Action:
        assert set(described[action]["fields"]) == set(ENGLISH["services"][action]["fields"])
    assert described[Action.GET_HISTORY]["response"] == {"optional": False}


def test_titles_of_menus() -> None:
    """The frontend has no placeholders for them."""
    menus = [step for step in ENGLISH["config"]["step"].values() if "menu_options" in step]
    assert len(menus) == 2
    for menu in menus:
        assert "{" not in menu["title"]


def test_icons_exist() -> None:
    """The frontend has each of them."""
    known = {
        icon["name"]
        for icon in json.loads(
            (Path(hass_frontend.__file__).parent / "static" / "mdi" / "iconList.json").read_text()
        )
    }
    named = {text.removeprefix("mdi:") for text in texts(ICONS)}
    assert named
    assert named <= known


def test_texts_are_clean() -> None:
    """No links, no HTML, no stray spaces; placeholders are identifiers without quotes."""
    for text in texts(ENGLISH):
        assert text == text.strip()
        assert text
        assert "http" not in text
        assert not re.search(r"</?\w+>", text)
        assert "[%key" not in text
        for placeholder in re.findall(r"{(.*?)}", text):
            assert placeholder.isidentifier()
            assert f"'{{{placeholder}}}'" not in text


def test_every_error_has_its_text() -> None:
    """In the flow, as an exception, and as a state of the problem."""
    for code in ErrorCode:
        assert ENGLISH["config"]["error"][code]
        assert ENGLISH["exceptions"][code]["message"].startswith("{name}: ")
    own = set(ENGLISH["config"]["error"]) - set(ErrorCode)
    assert own == {
        "invalid_address",
        "not_heard_any_more",
        "model_not_told",
        "same_address",
        "address_in_use",
        "invalid_token",
        "bridge_newer",
        "invalid_host",
    }
    own = set(ENGLISH["exceptions"]) - set(ErrorCode)
    of_settings = {key for key in own if key.startswith("setting_")}
    assert of_settings == {
        *(
            f"setting_{reason}"
            for reason in Reason
            if reason not in (Reason.WRONG_TYPE, Reason.ORDER)
        ),
        *(f"setting_wrong_type_{kind}" for kind in ("number", "switch", "time")),
        *(f"setting_order_{side}" for side in ("above", "below")),
        "setting_not_kept_unless",
        "setting_not_kept_again",
    }
    assert own - of_settings == {
        "change_interrupted",
        "no_such_device",
        "not_a_unit",
        "which_device",
        "no_such_registers",
        "no_history",
        "no_registers",
        "interrupted",
    }


def test_every_step_is_described() -> None:
    """Each field of a form has a name and a description, and no description is left over."""
    for area in ("config", "options"):
        for step in ENGLISH[area]["step"].values():
            assert set(step.get("data", {})) == set(step.get("data_description", {}))
    steps = set(ENGLISH["config"]["step"])
    assert steps == {
        "user",
        "pick",
        "address",
        "virtual",
        "bluetooth_confirm",
        "model",
        "family",
        "reconfigure",
        "kind",
        "new_address",
        "bridge",
        "bridge_token",
        "bridge_address",
        "reauth_confirm",
    }
    sections = {str(name): item.schema.schema for name, item in OPTIONS_SCHEMA.schema.items()}
    texts = ENGLISH["options"]["step"]["init"]["sections"]
    assert list(texts) == list(sections)
    for name, fields in sections.items():
        assert texts[name]["name"]
        assert texts[name]["description"]
        keys = [str(key) for key in fields]
        assert list(texts[name]["data"]) == list(texts[name]["data_description"]) == keys
    options = [str(key) for fields in sections.values() for key in fields]
    assert sorted(options) == sorted(EntryOptions.__dataclass_fields__)
    selectors = ENGLISH["selector"]
    assert set(selectors["route"]["options"]) == set(RouteChoice)
    assert set(selectors["model"]["options"]) == {AUTOMATIC}
    assert selectors["profile"]["options"] == {key: item.name for key, item in PROFILES.items()}


def test_texts_of_the_unit_flow() -> None:
    """Each error of the library has the words that the config flow has for it."""
    texts = ENGLISH["config_subentries"]
    assert set(texts) == {SUBENTRY_UNIT}
    unit = texts[SUBENTRY_UNIT]
    assert set(unit["step"]) == {"user", "add_units"}
    assert set(unit["error"]) - set(ErrorCode) == {"no_more_units", "no_unit_chosen"}
    for code in ErrorCode:
        assert unit["error"][code] == ENGLISH["config"]["error"][code]
    assert set(unit["progress"]) == {SEARCH}
    for step in unit["step"].values():
        assert set(step["data"]) == set(step["data_description"])


def test_every_entity_has_its_name_and_states() -> None:
    """All translation keys have a text, all states of enums too, and no text is left over."""
    english = ENGLISH["entity"]["sensor"]
    states: dict[str, set[str]] = {}
    for description in SENSORS:
        key = description.translation_key
        assert key is not None
        assert english[key]["name"]
        states.setdefault(key, set()).update(description.options or ())
    states[SCHEDULE] = set(Mode)
    assert set(english[SCHEDULE]["state_attributes"]["waiting_for"]["state"]) == set(Wait)
    assert set(english) == set(states)
    for key, options in states.items():
        assert set(english[key].get("state", {})) == options, key
    names = [text["name"] for text in english.values()]
    assert len(set(names)) == len(names)
    assert set(english["connection_status"]["state"]) == set(ConnectionStatus)
    binary = ENGLISH["entity"]["binary_sensor"]
    assert set(binary) == FLAGS.keys() | {presentation.ANY_FAULT, *FaultGroup}
    binary_names = [text["name"] for text in binary.values()]
    assert len(set(binary_names)) == len(binary_names)
    assert set(ENGLISH["entity"]["button"]) == {RECONNECT.key}


def test_faults_have_their_texts() -> None:
    """Each name that a unit can report has a group and a rank; its text is the sensor's state too."""
    for profile, register_map in MODELS:
        reported = {name for field in register_map.fields for name in field.listed}
        names = [fault.name for fault in profile.faults]
        assert len(set(names)) == len(names)
        assert reported <= set(names)
    english = ENGLISH["entity"]["sensor"]["worst_fault"]["state"]
    states = {fault.state for profile, _ in MODELS for fault in profile.faults}
    assert set(english) == {"none", *states}
    groups: dict[str, set[str]] = {presentation.ANY_FAULT: states}
    for profile, _ in MODELS:
        for fault in profile.faults:
            groups.setdefault(fault.group, set()).add(fault.state)
    for group, members in groups.items():
        active = ENGLISH["entity"]["binary_sensor"][group]["state_attributes"]["active"]["state"]
        assert active == {state: english[state] for state in active}
        assert set(active) == members


def test_one_text_for_one_meaning() -> None:
    """Home Assistant has custom integrations repeat texts: each is the same wherever it stands."""
    flows = [ENGLISH["config"], ENGLISH["config_subentries"][SUBENTRY_UNIT]]
    flows += [issue["fix_flow"] for issue in ENGLISH["issues"].values() if "fix_flow" in issue]
    for section in ("error", "abort", "progress"):
        found: dict[str, set[str]] = {}
        for flow in flows:
            for key, words in flow.get(section, {}).items():
                found.setdefault(key, set()).add(words)
        assert {key: words for key, words in found.items() if len(words) > 1} == {}
    for code in ErrorCode:
        assert ENGLISH["exceptions"][code] == {
            "message": "{name}: " + ENGLISH["config"]["error"][code]
        }


def test_no_markdown_where_none_is_rendered() -> None:
    """The frontend shows errors of forms and of actions as plain text."""
    errors = [ENGLISH["config"]["error"], ENGLISH["config_subentries"][SUBENTRY_UNIT]["error"]]
    errors += [
        issue["fix_flow"].get("error", {})
        for issue in ENGLISH["issues"].values()
        if "fix_flow" in issue
    ]
    errors += [{key: found["message"] for key, found in ENGLISH["exceptions"].items()}]
    for section in errors:
        for key, words in section.items():
            assert "**" not in words, key
            assert "`" not in words, key


def test_texts_that_the_code_looks_up() -> None:
    """Each is there, and none is left over."""
    used = set()
    for path in COMPONENT.glob("*.py"):
        source = path.read_text()
        used |= set(
            re.findall(r"""\btext\(\s*(?:self\.)?_?(?:coordinator\.)?hass,\s*"(\w+)\"""", source)
        )
    used |= {ON, OFF}
    daily = {
        f"statistic_{field.key}"
        for profile, _ in MODELS
        if profile.history is not None
        for field in profile.history.fields
        if field.summed
    }
    assert set(ENGLISH["common"]) == used | daily


def test_every_issue_has_its_text() -> None:
    """A flow where one mends it, a description otherwise; each flow says when it did not help."""
    assert set(ENGLISH["issues"]) == set(IssueKind)
    for kind in IssueKind:
        text = ENGLISH["issues"][kind]
        # what is wrong with the machine is announced once for all devices
        assert ("{name}" in text["title"]) is (kind is not IssueKind.READ_IN_PROCESS)
        assert ("fix_flow" in text) is (kind not in NOT_FIXABLE)
        assert ("description" in text) is (kind in NOT_FIXABLE)
        if kind not in NOT_FIXABLE:
            assert set(text["fix_flow"]["step"]) == {"confirm"}
            if kind in (IssueKind.EARLIER_RELEASE, IssueKind.UNIT_FOUND, IssueKind.READ_TWICE):
                assert "error" not in text["fix_flow"]
                continue
            assert set(text["fix_flow"]["error"]) == {"still_failing"}
            assert set(text["fix_flow"]["abort"]) == {"not_loaded"}
            step = text["fix_flow"]["step"]["confirm"]
            assert set(step.get("data", {})) == set(step.get("data_description", {}))


def test_every_action_has_its_text() -> None:
    """services.yaml, the texts, the icons and the schemas name the same actions and fields."""
    described = yaml.safe_load((COMPONENT / "services.yaml").read_text())
    actions = {*Action, UPDATE_SETTINGS, *(action.name for action in SETTING_ACTIONS)}
    assert set(described) == set(ENGLISH["services"]) == set(ICONS["services"]) == actions
    wanted: dict[str, set[str]] = {
        Action.FORCE_RECONNECT: {"config_entry_id", "device_id"},
        Action.HEALTH_CHECK: {"config_entry_id", "device_id"},
        Action.READ_REGISTERS: {"device_id", "start", "count"},
        Action.GET_HISTORY: {"device_id"},
        UPDATE_SETTINGS: {"device_id", "settings"},
        **{action.name: {"device_id", action.field} for action in SETTING_ACTIONS},
    }
    for action in actions:
        fields = described[action]["fields"]
        assert set(fields) == set(ENGLISH["services"][action]["fields"]) == wanted[action]
        of_link = action in (Action.FORCE_RECONNECT, Action.HEALTH_CHECK)
        optional = {key for key, field in fields.items() if not field.get("required")}
        assert optional == ({"device_id"} if of_link else set())


def test_every_event_has_its_text() -> None:
    """For the event entity."""
    texts = ENGLISH["entity"]["event"]
    assert set(texts) == {CONNECTION.key, SCHEDULE}
    done = texts[SCHEDULE]["state_attributes"]["event_type"]["state"]
    assert list(done) == list(ScheduleEvent)
    states = texts[CONNECTION.key]["state_attributes"]["event_type"]["state"]
    assert list(states) == [short_name(event) for event in LinkEvent] == CONNECTION.event_types


def test_every_control_has_its_name_and_choices() -> None:
    """Of all models, and of the schedule; none is left over, and each says what it rests on."""
    platforms = {
        SettingKind.NUMBER: "number",
        SettingKind.CHOICE: "select",
        SettingKind.SWITCH: "switch",
        SettingKind.TIME: "time",
    }
    found: dict[str, set[str]] = {platform: set() for platform in platforms.values()}
    choices: dict[str, set[str]] = {}
    for _, register_map in MODELS:
        for setting in register_map.controls.settings:
            found[platforms[setting.kind]].add(setting.key)
            if setting.kind is SettingKind.CHOICE:
                choices.setdefault(setting.key, set()).update(setting.choices.values())
    own = {
        "number": {MINIMUM_SOC, CHARGE_WINDOW_CURRENT},
        "select": set(),
        "switch": set(WINDOWS),
        "time": set(TIMES),
    }
    assert {key for keys in own.values() for key in keys} == set(SCHEDULE_KEYS)
    for platform, keys in found.items():
        texts = ENGLISH["entity"][platform]
        assert set(texts) == keys | own[platform]
        assert len({text["name"] for text in texts.values()}) == len(texts)
        for key in keys:
            states = texts[key]["state_attributes"]["evidence"]["state"]
            assert set(states) == set(Evidence)
        if platform != "number":
            assert set(ICONS["entity"][platform]) == set(texts)
    for key, names in choices.items():
        assert set(ENGLISH["entity"]["select"][key]["state"]) == names
    assert (
        ENGLISH["selector"]["output_priority"]["options"]
        == (ENGLISH["entity"]["select"]["output_priority"]["state"])
    )


def test_icons() -> None:
    """Every icon belongs to an entity, every state icon to a state."""
    for platform, icons in ICONS["entity"].items():
        for key, icon in icons.items():
            english = ENGLISH["entity"][platform][key]
            assert icon["default"].startswith("mdi:")
            assert set(icon.get("state", {})) <= set(english.get("state", {}))
    without_class = {item.key for item in SENSORS if item.device_class is None}
    assert without_class <= set(ICONS["entity"]["sensor"])
    without_class = {key for key, flag in FLAGS.items() if flag.quantity is None}
    assert without_class <= set(ICONS["entity"]["binary_sensor"])


@pytest.mark.parametrize(("name", "size"), [("icon.png", (256, 256)), ("icon@2x.png", (512, 512))])
def test_icon_images(name: str, size: tuple[int, int]) -> None:
    """Square, of the size that Home Assistant expects."""
    with Image.open(COMPONENT / "brand" / name) as image:
        assert image.size == size
        assert image.format == "PNG"


@pytest.mark.parametrize("name", ["logo.png", "dark_logo.png"])
def test_logo_images(name: str) -> None:
    """Landscape, the shorter side within 128-256 pixels, twice that for fine screens."""
    doubled = name.replace(".png", "@2x.png")
    with Image.open(COMPONENT / "brand" / name) as image:
        assert 128 <= min(image.size) <= 256
        assert image.width > image.height
        with Image.open(COMPONENT / "brand" / doubled) as fine:
            assert fine.height == 2 * image.height


async def test_home_assistant_loads_it(hass: HomeAssistant) -> None:
    """Its own loader accepts the manifest and finds the images and the texts."""
    integration = await async_get_integration(hass, DOMAIN)
    assert integration.has_branding
    assert integration.config_flow
    assert str(integration.version) == MANIFEST["version"]
    found = await async_get_translations(hass, "en", "entity", {DOMAIN})
    assert found[f"component.{DOMAIN}.entity.sensor.battery_voltage.name"] == "Battery voltage"


def test_platforms() -> None:
    """Each platform has its module, and says how many updates run at once."""
    commanding = {
        Platform.BUTTON,
        Platform.NUMBER,
        Platform.SELECT,
        Platform.SWITCH,
        Platform.TIME,
    }
    assert set(PLATFORMS) == {Platform.BINARY_SENSOR, Platform.SENSOR, *commanding}
    for platform in (*EARLY_PLATFORMS, *PLATFORMS):
        at_once = 1 if platform in commanding else 0
        assert f"PARALLEL_UPDATES = {at_once}\n" in (COMPONENT / f"{platform}.py").read_text()
