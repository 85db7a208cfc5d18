"""The options of a device."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_ADDRESS, CONF_HOST
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

from .lib.blupow_ble.reader import bluez
from .lib.blupow_ble.reader.messages import VIRTUAL
from .options import (
    CONF_CACHE_TIME,
    CONF_DAILY_RECONNECT,
    CONF_GRACE_TIME,
    CONF_ROUTE,
    OF_BRIDGES,
    SECTIONS,
    EntryOptions,
    NumberOption,
    OtherOption,
    RouteChoice,
    Sections,
)


def number_selector(option: NumberOption) -> NumberSelector:
    """Return the selector of a numeric option, with its range."""
    config = NumberSelectorConfig(
        min=option.low, max=option.high, step=1, mode=NumberSelectorMode.BOX
    )
    if option.unit_of_measurement:
        config["unit_of_measurement"] = option.unit_of_measurement
    return NumberSelector(config)


_SELECTORS: Final[Mapping[OtherOption, Selector[Any]]] = {
    OtherOption.SWITCH: BooleanSelector(),
    OtherOption.TIME: TimeSelector(),
    OtherOption.ROUTE: SelectSelector(
        SelectSelectorConfig(
            options=[choice.value for choice in RouteChoice],
            translation_key=CONF_ROUTE,
            mode=SelectSelectorMode.DROPDOWN,
        )
    ),
}


def _marker(key: str) -> probatio.Marker:
    """Return the field of an option in the form: one that is automatic, or off, without a value may be empty."""
    empty = EntryOptions.__dataclass_fields__[key].default is None
    return probatio.Optional(key) if empty else probatio.Required(key)


def _schema(options: Mapping[str, NumberOption | OtherOption]) -> probatio.Schema:
    return probatio.Schema(
        {
            _marker(key): number_selector(option)
            if isinstance(option, NumberOption)
            else _SELECTORS[option]
            for key, option in options.items()
        }
    )


_OPEN_SECTION: Final = "updates"
BRIDGE_SECTIONS: Final[Sections] = {
    name: shown
    for name, options in SECTIONS.items()
    if (shown := {key: option for key, option in options.items() if key in OF_BRIDGES})
}


def _form(sections: Sections) -> probatio.Schema:
    return probatio.Schema(
        {
            probatio.Required(name): section(_schema(options), {"collapsed": name != _OPEN_SECTION})
            for name, options in sections.items()
        }
    )


OPTIONS_SCHEMA: Final = _form(SECTIONS)
BRIDGE_SCHEMA: Final = _form(BRIDGE_SECTIONS)


def in_sections(
    options: Mapping[str, Any], sections: Sections = SECTIONS
) -> dict[str, dict[str, Any]]:
    """Return options as the form has them: in sections."""
    return {
        name: {key: options[key] for key in section_options if key in options}
        for name, section_options in sections.items()
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
        return bool(self.config_entry.data.get(CONF_ADDRESS) == VIRTUAL)

    @property
    def _bridge(self) -> bool:
        return CONF_HOST in self.config_entry.data

    def _error(self, options: Mapping[str, Any]) -> str | None:
        """Return what is wrong with options that each are in their range."""
        if options[CONF_GRACE_TIME] < options[CONF_CACHE_TIME]:
            return "grace_shorter_than_cache"
        isolated = options.get(CONF_ROUTE) == RouteChoice.ISOLATED
        if isolated and not self._virtual and not bluez.available():
            return "isolated_needs_bluez"
        return None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the options."""
        if CONF_ADDRESS not in self.config_entry.data and not self._bridge:
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
        known = suggested(EntryOptions.from_options(self.config_entry.options))
        sections, schema = SECTIONS, OPTIONS_SCHEMA
        if self._bridge:
            sections, schema = BRIDGE_SECTIONS, BRIDGE_SCHEMA
        current = in_sections(known, sections)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, user_input or current),
            errors=errors,
        )
