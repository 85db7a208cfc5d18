"""The options of a device."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_ADDRESS, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    Selector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TimeSelector,
)

from .const import CONF_UNIT_ID
from .lib.blupow_ble.reader import bluez
from .lib.blupow_ble.reader.messages import VIRTUAL
from .options import (
    CONF_CACHE_TIME,
    CONF_CONNECT_TIMEOUT,
    CONF_DAILY_RECONNECT,
    CONF_GRACE_TIME,
    CONF_HEARTBEAT,
    CONF_LOG_FILE,
    CONF_MAY_BE_OFF,
    CONF_NOTIFY,
    CONF_RECOVERY_LIMIT,
    CONF_ROUTE,
    CONF_STALE_AGE,
    CONF_STALE_CHECKS,
    CONF_UPDATE_INTERVAL,
    RANGES,
    EntryOptions,
    RouteChoice,
)


def number(key: str, unit: str | None = UnitOfTime.SECONDS) -> NumberSelector:
    """Return the selector of a numeric option, with its range."""
    config = NumberSelectorConfig(
        min=RANGES[key].low, max=RANGES[key].high, step=1, mode=NumberSelectorMode.BOX
    )
    if unit:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


_FIELDS: Final[Mapping[str, Mapping[probatio.Marker, Selector[Any]]]] = {
    "updates": {
        probatio.Required(CONF_UPDATE_INTERVAL): number(CONF_UPDATE_INTERVAL),
        probatio.Required(CONF_CACHE_TIME): number(CONF_CACHE_TIME),
        probatio.Required(CONF_GRACE_TIME): number(CONF_GRACE_TIME),
        probatio.Required(CONF_MAY_BE_OFF): BooleanSelector(),
    },
    "connection": {
        probatio.Required(CONF_ROUTE): SelectSelector(
            SelectSelectorConfig(
                options=[choice.value for choice in RouteChoice],
                translation_key=CONF_ROUTE,
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        probatio.Optional(CONF_CONNECT_TIMEOUT): number(CONF_CONNECT_TIMEOUT),
        probatio.Optional(CONF_UNIT_ID): number(CONF_UNIT_ID, unit=None),
    },
    "recovery": {
        probatio.Required(CONF_HEARTBEAT): number(CONF_HEARTBEAT),
        probatio.Required(CONF_STALE_AGE): number(CONF_STALE_AGE),
        probatio.Required(CONF_STALE_CHECKS): number(CONF_STALE_CHECKS, unit=None),
        probatio.Required(CONF_RECOVERY_LIMIT): number(CONF_RECOVERY_LIMIT, unit=None),
        probatio.Optional(CONF_DAILY_RECONNECT): TimeSelector(),
        probatio.Required(CONF_NOTIFY): BooleanSelector(),
    },
    "log": {probatio.Required(CONF_LOG_FILE): BooleanSelector()},
}
_OPEN_SECTION: Final = "updates"
OPTIONS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(name): section(
            probatio.Schema(fields), {"collapsed": name != _OPEN_SECTION}
        )
        for name, fields in _FIELDS.items()
    }
)


def in_sections(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return options as the form has them: in sections."""
    return {
        name: {key: options[key] for field in fields if (key := str(field)) in options}
        for name, fields in _FIELDS.items()
    }


def suggested(options: EntryOptions) -> Mapping[str, Any]:
    """Return what the options form shows: automatic ones are empty."""
    values = asdict(options) | {CONF_ROUTE: options.route.value}
    if options.daily_reconnect is not None:
        values[CONF_DAILY_RECONNECT] = options.daily_reconnect.isoformat()
    return {key: value for key, value in values.items() if value is not None}


class BluPowOptionsFlow(OptionsFlowWithReload):
    """Change the options; the entry is reloaded with them."""

    @property
    def _virtual(self) -> bool:
        return bool(self.config_entry.data[CONF_ADDRESS] == VIRTUAL)

    def _error(self, options: Mapping[str, Any]) -> str | None:
        """Return what is wrong with options that each are in their range."""
        if options[CONF_GRACE_TIME] < options[CONF_CACHE_TIME]:
            return "grace_shorter_than_cache"
        isolated = options[CONF_ROUTE] == RouteChoice.ISOLATED
        if isolated and not self._virtual and not bluez.available():
            return "isolated_needs_bluez"
        return None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the options."""
        if CONF_ADDRESS not in self.config_entry.data:
            return self.async_abort(reason="earlier_release")
        errors: dict[str, str] = {}
        if user_input is not None:
            options = {
                key: int(value) if isinstance(value, float) else value
                for fields in user_input.values()
                for key, value in fields.items()
            }
            if (error := self._error(options)) is None:
                return self.async_create_entry(data=options)
            errors = {"base": error}
        current = in_sections(suggested(EntryOptions.from_options(self.config_entry.options)))
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(OPTIONS_SCHEMA, user_input or current),
            errors=errors,
        )
