"""What failed, in the words of Home Assistant's errors."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_exception_message

from .const import DOMAIN
from .lib.blupow_ble.profiles.setting import SettingValue
from .lib.blupow_ble.profiles.setting_rules import Reason, SettingRefused
from .lib.blupow_ble.protocol.errors import ChangeUnknown, ReaderError
from .lib.blupow_ble.reader.result import SettingReport
from .lib.blupow_ble.supervisor.exclusive import Interrupted
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .texts import setting_name, state_name, text


def _key(err: ReaderError) -> str:
    return "interrupted" if isinstance(err, Interrupted) else err.code


def placeholders(err: ReaderError, name: str) -> dict[str, str]:
    """Return what the texts of errors name."""
    return {"name": name, "detail": err.message}


def message_of(err: ReaderError, name: str) -> str:
    """Return what is wrong with a device and what to do, as a sentence for people."""
    return f"{async_get_exception_message(DOMAIN, _key(err), placeholders(err, name))}."


def failure(err: ReaderError, name: str) -> HomeAssistantError:
    """Return the error that an action or a button raises."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=_key(err),
        translation_placeholders=placeholders(err, name),
    )


def change_failure(err: ReaderError, name: str) -> HomeAssistantError:
    """Return the error of a change that came to no report: nothing was sent, or nobody knows."""
    if not isinstance(err, ChangeUnknown):
        return failure(err, name)
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="change_interrupted",
        translation_placeholders=placeholders(err, name),
    )


@callback
def setting_failure(
    hass: HomeAssistant, name: str, unit: UnitState, report: SettingReport
) -> HomeAssistantError:
    """Return the error of a setting that was not changed: what is wrong, and what the device has now."""
    key, facts = setting_text(hass, unit, report)
    kind = HomeAssistantError if report.sent else ServiceValidationError
    return kind(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=facts | {"name": name},
    )


@callback
def setting_text(
    hass: HomeAssistant, unit: UnitState, report: SettingReport
) -> tuple[str, dict[str, str]]:
    """Return the key of the text that says why a setting was not changed, and what it names."""
    assert report.reason is not None
    controls, facts = unit.register_map.controls, dict(report.facts)
    setting = controls.setting(report.key)
    key = f"setting_{report.reason}"
    for fact in ("wanted", "side"):
        if fact in facts:
            key = f"{key}_{facts.pop(fact)}"
    for fact in ("unless", "again"):
        if fact in facts:
            key = f"{key}_{fact}"
    for fact in ("needs", "other", "unless"):
        if fact in facts:
            facts[fact] = setting_name(hass, facts[fact])
    if setting is not None and report.reason is Reason.CONDITION:
        (condition,) = setting.needs
        needed = controls.setting(condition.key)
        assert needed is not None
        facts["values"] = ", ".join(
            state_name(hass, needed.key, needed.choices[value]) for value in condition.values
        )
    facts |= {
        "setting": setting_name(hass, report.key),
        "wanted": _shown(hass, report.key, report.wanted),
        "now": _shown(hass, report.key, report.now),
    }
    return key, facts


def _shown(hass: HomeAssistant, key: str, value: SettingValue | None) -> str:
    """Return the value of a setting as people read it."""
    match value:
        case None:
            return "?"
        case bool():
            return text(hass, "on" if value else "off")
        case str():
            return state_name(hass, key, value)
    return f"{value:g}"


@callback
def schedule_failure(hass: HomeAssistant, name: str, err: SettingRefused) -> ServiceValidationError:
    """Return the error of a schedule that the device could never carry out."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=f"setting_{err.reason}",
        translation_placeholders=err.facts | {"name": name, "setting": setting_name(hass, err.key)},
    )
