"""The options of a device."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_ADDRESS, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TimeSelector,
)

from .const import CONF_UNIT
from .lib.blupow_ble import bluez
from .lib.blupow_ble.messages import VIRTUAL
from .settings import (
    CONF_CACHE_TIME,
    CONF_CONNECT_TIMEOUT,
    CONF_DAILY_RECONNECT,
    CONF_GRACE_TIME,
    CONF_HEARTBEAT,
    CONF_LOG_FILE,
    CONF_MAY_BE_OFF,
    CONF_NOTIFY,
    CONF_PATH,
    CONF_RECOVERY_LIMIT,
    CONF_STALE_AGE,
    CONF_STALE_CHECKS,
    CONF_UPDATE_INTERVAL,
    RANGES,
    Settings,
    WantedPath,
)


def number(key: str, unit: str | None = UnitOfTime.SECONDS) -> NumberSelector:
    """Return the selector of a numeric option, with its range."""
    config = NumberSelectorConfig(
        min=RANGES[key].low, max=RANGES[key].high, step=1, mode=NumberSelectorMode.BOX
    )
    if unit:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


OPTIONS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_UPDATE_INTERVAL): number(CONF_UPDATE_INTERVAL),
        probatio.Required(CONF_MAY_BE_OFF): BooleanSelector(),
        probatio.Optional(CONF_CONNECT_TIMEOUT): number(CONF_CONNECT_TIMEOUT),
        probatio.Required(CONF_CACHE_TIME): number(CONF_CACHE_TIME),
        probatio.Required(CONF_GRACE_TIME): number(CONF_GRACE_TIME),
        probatio.Required(CONF_PATH): SelectSelector(
            SelectSelectorConfig(
                options=[path.value for path in WantedPath],
                translation_key=CONF_PATH,
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Optional(CONF_UNIT): number(CONF_UNIT, unit=None),
        probatio.Required(CONF_HEARTBEAT): number(CONF_HEARTBEAT),
        probatio.Required(CONF_STALE_AGE): number(CONF_STALE_AGE),
        probatio.Required(CONF_STALE_CHECKS): number(CONF_STALE_CHECKS, unit=None),
        probatio.Required(CONF_RECOVERY_LIMIT): number(CONF_RECOVERY_LIMIT, unit=None),
        probatio.Optional(CONF_DAILY_RECONNECT): TimeSelector(),
        probatio.Required(CONF_NOTIFY): BooleanSelector(),
        probatio.Required(CONF_LOG_FILE): BooleanSelector(),
    }
)


def suggested(settings: Settings) -> Mapping[str, Any]:
    """Return what the options form shows: automatic ones are empty."""
    values = asdict(settings) | {CONF_PATH: settings.path.value}
    if settings.daily_reconnect is not None:
        values[CONF_DAILY_RECONNECT] = settings.daily_reconnect.isoformat()
    return {key: value for key, value in values.items() if value is not None}


class BluPowOptionsFlow(OptionsFlowWithReload):
    """Change the options; the entry is reloaded with them."""

    @property
    def _virtual(self) -> bool:
        return bool(self.config_entry.data[CONF_ADDRESS] == VIRTUAL)

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the options."""
        errors: dict[str, str] = {}
        if user_input is not None:
            options = {
                key: int(value) if isinstance(value, float) else value
                for key, value in user_input.items()
            }
            if options[CONF_GRACE_TIME] < options[CONF_CACHE_TIME]:
                errors[CONF_GRACE_TIME] = "grace_shorter_than_cache"
            isolated = options[CONF_PATH] == WantedPath.ISOLATED
            if isolated and not self._virtual and not bluez.available():
                errors[CONF_PATH] = "isolated_needs_bluez"
            if not errors:
                return self.async_create_entry(data=options)
        current = suggested(Settings.from_options(self.config_entry.options))
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(OPTIONS_SCHEMA, user_input or current),
            errors=errors,
        )
