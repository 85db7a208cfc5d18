#!/usr/bin/env python3
"""Write README's table of devices, docs/registers.md, and the names of entities that a bridge knows.

They follow from the profiles and from the texts of Home Assistant. With --check they are only compared.
"""

import argparse
from collections.abc import Iterator
import json
from pathlib import Path
import sys

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.declaration import NO_VALUE, Computed, Field, Kind, Rule, WordOrder
from blupow_ble.profiles.profile import HistoryField, Model, Profile
from blupow_ble.profiles.setting import Setting, SettingKind

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- devices begin: written by scripts/describe.py -->"
END = "<!-- devices end -->"
TEXTS = ROOT / "custom_components" / "blupow" / "translations" / "en.json"
NAMES = ROOT / "bridge" / "blupow_bridge" / "mqtt" / "names.json"


def devices() -> Iterator[str]:
    """Go through the lines of the table of devices."""
    yield "| Family | Devices | Advertised name | Known from |"
    yield "|---|---|---|---|"
    for profile in PROFILES.values():
        for model in profile.models:
            taken = {name for other in profile.models for name in other.name_prefixes}
            rest = [name for name in profile.name_prefixes if name not in taken]
            names = model.name_prefixes or (rest if model is profile.models[0] else ())
            prefixes = [f"`{name}…`" for name in names]
            if profile.push is None:
                prefixes.append("`BT-TH-…`")
            yield f"| {profile.name} | {model.devices} | {', '.join(prefixes)} | {model.source} |"


def registers() -> Iterator[str]:
    """Go through the lines of the tables of registers."""
    yield "# Registers"
    yield ""
    yield "Written from the profiles by `scripts/describe.py`. A value outside its range is dropped, never changed."
    yield ""
    for profile in PROFILES.values():
        yield f"## {profile.name}: {'frame' if profile.push else 'registers'}"
        yield ""
        if profile.units:
            yield f"Modbus addresses, in the order of trying: {', '.join(map(str, profile.units))}."
            yield ""
        if profile.no_value is not None:
            yield f"0x{NO_VALUE:04X} means that there is no such value."
            yield ""
        yield "| Value | Register | Words | Read as | Unit | Only |"
        yield "|---|---|---|---|---|---|"
        yield from _fields(profile)
        for item in profile.computed:
            yield f"| {item.key} | computed | | {_rule(item)} | {item.unit_of_measurement} | |"
        if profile.history is not None:
            yield ""
            yield "Days that it keeps: " + ", ".join(map(_day, profile.history.fields)) + "."
        yield ""
    yield from settings()
    yield from evidence()


def settings() -> Iterator[str]:
    """Go through the lines of the tables of settings that can be changed."""
    yield "## Settings"
    yield ""
    yield "What BluPow may write, with the keys of the action `blupow.update_settings`. It never writes anything else."
    yield "Voltages of charge controllers are given for 12 V; a system of 24, 36, or 48 V has two, three, or four times as much."
    yield ""
    for profile in PROFILES.values():
        for model in profile.models:
            controls = profile.register_map(model).controls
            if not controls.settings:
                continue
            yield f"### {profile.name}: {model.key}"
            yield ""
            yield "| Setting | Register | Values | Evidence | Source |"
            yield "|---|---|---|---|---|"
            for item in controls.settings:
                yield (
                    f"| {item.key} | {item.register} (0x{item.register:04X}) | {_values(item)} "
                    f"| {_evidence(item)} | {item.source} |"
                )
            yield ""
            if controls.order:
                rules = (
                    f"{rule.upper} {'above' if rule.gap else 'not below'} {rule.lower}"
                    for rule in controls.order
                )
                yield f"Order: {'; '.join(rules)}."
                yield ""


def _evidence(setting: Setting) -> str:
    """Return what a setting rests on, and for which devices it is offered at all."""
    of = f" (of {', '.join(setting.confirmed_for)})" if setting.confirmed_for else ""
    only = f"; only {', '.join(setting.only_for)}" if setting.only_for else ""
    return f"{setting.evidence}{of}{only}"


def _values(setting: Setting) -> str:
    """Return what a setting may be."""
    needs = "".join(f"; needs {condition.key}" for condition in setting.needs)
    match setting.kind:
        case SettingKind.NUMBER:
            unit = f" {setting.unit_of_measurement}" if setting.unit_of_measurement else ""
            return f"{setting.low:g} to {setting.high:g}{unit}, steps of {setting.step:g}{needs}"
        case SettingKind.CHOICE:
            return ", ".join(setting.offered)
        case SettingKind.SWITCH:
            return "true, false"
        case SettingKind.TIME:
            return "HH:MM"


def evidence() -> Iterator[str]:
    """Go through the lines of the table of signs and totals, with their sources."""
    yield "## Signs and totals, and where they are known from"
    yield ""
    yield "A wrong sign, or a wrong order of the two words of a total, is a wrong number. Each needs a second source."
    yield ""
    yield "| Family | Value | Only | Sign, order | First source | Second source |"
    yield "|---|---|---|---|---|---|"
    for profile in PROFILES.values():
        for key, variants in _variants(profile).items():
            for field, models in variants:
                if field.evidence:
                    first, *others = field.evidence
                    second = "; ".join(others) or "**one source**"
                    only = _only(profile, models)
                    reported = _told(field)
                    yield f"| {profile.name} | {key} | {only} | {reported} | {first} | {second} |"


def _told(field: Field) -> str:
    """Return what the sources of a value are asked for."""
    if field.sign_magnitude:
        return "sign and magnitude"
    if field.signed:
        return "negated" if field.scale < 0 else "as sent"
    if field.words == 1:
        return f"x {field.scale:g}"
    return {
        WordOrder.HIGH_FIRST: "high word first",
        WordOrder.LOW_FIRST: "low word first",
        WordOrder.INFERRED: "inferred from the numbers, else high word first",
    }[field.order]


def _variants(profile: Profile) -> dict[str, list[tuple[Field, list[Model]]]]:
    """Return the fields of a family by key: each variant with the models that have it."""
    rows: dict[str, list[tuple[Field, list[Model]]]] = {}
    for model in profile.models:
        for field in profile.register_map(model).fields:
            variants = rows.setdefault(field.key, [])
            for known, models in variants:
                if known == field:
                    models.append(model)
                    break
            else:
                variants.append((field, [model]))
    return rows


def _only(profile: Profile, models: list[Model]) -> str:
    """Return the models that a field is of; nothing if it is of all."""
    everywhere = len(models) == len(profile.models)
    return "" if everywhere else ", ".join(model.key for model in models)


def _fields(profile: Profile) -> Iterator[str]:
    for key, variants in _variants(profile).items():
        for field, models in variants:
            yield (
                f"| {key} | {_register(profile, field)} | {field.words} | {_read_as(field)} "
                f"| {field.unit_of_measurement or ''} | {_only(profile, models)} |"
            )


def _register(profile: Profile, field: Field) -> str:
    if profile.push is not None:
        return f"byte {2 * field.register}"
    return f"{field.register} (0x{field.register:04X})"


def _read_as(field: Field) -> str:
    parts = []
    if field.bits is not None:
        shift, width = field.bits
        parts.append(f"bit {shift}" if width == 1 else f"bits {shift}-{shift + width - 1}")
    if field.kind is Kind.NUMBER:
        if field.sign_magnitude:
            parts.append("sign and magnitude")
        elif field.signed:
            parts.append("signed")
        if field.words > 1 and field.order is WordOrder.LOW_FIRST:
            parts.append("low word first")
        elif field.order is WordOrder.INFERRED:
            parts.append("order as the numbers tell")
        parts.append(f"x {field.scale:g}")
        if field.fine_scale is not None:
            parts.append(f"or x {field.fine_scale:g}")
    else:
        parts.append(field.kind.value)
    return ", ".join(parts)


def _rule(item: Computed) -> str:
    first, second = item.of
    return f"{first} x {second}" if item.rule is Rule.PRODUCT else f"{first} / {second}"


def _day(field: HistoryField) -> str:
    return f"{field.key} ({field.unit_of_measurement})"


def names() -> str:
    """Return the names of all entities, by platform and key, as JSON."""
    platforms = json.loads(TEXTS.read_text())["entity"]
    found = {
        platform: {key: text["name"] for key, text in entities.items()}
        for platform, entities in platforms.items()
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def written() -> dict[Path, str]:
    """Return the files that are written, as they should be."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit("describe: README.md lacks the marks of the devices")
    table = "\n".join(devices()).strip()
    return {
        readme: f"{before}{BEGIN}\n\n{table}\n\n{END}{after}",
        ROOT / "docs" / "registers.md": "\n".join(registers()).strip() + "\n",
        NAMES: names(),
    }


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the files are not up to date")
    options = parser.parse_args()
    stale = [
        path for path, text in written().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        if options.check:
            name = path.relative_to(ROOT)
            print(f"describe: {name} is not up to date; run scripts/describe.py", file=sys.stderr)
        else:
            path.write_text(written()[path])
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
