#!/usr/bin/env python3
"""Write the tables of devices and registers in README.md from the profiles; --check only compares."""

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

import _environment  # noqa: F401  first: it brings the right Python and the library

from blupow_ble.profiles import PROFILES
from blupow_ble.profiles.declaration import (
    NOT_THERE,
    Computed,
    Field,
    HistoryField,
    Kind,
    Model,
    Profile,
    Rule,
)

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN = "<!-- {} begin: written by scripts/describe.py -->"
END = "<!-- {} end -->"


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
    for profile in PROFILES.values():
        yield "<details>"
        what = "frame" if profile.push else "registers"
        yield f"<summary>{profile.name}: {what}</summary>"
        yield ""
        if profile.units:
            yield f"Modbus addresses, in the order of trying: {', '.join(map(str, profile.units))}."
            yield ""
        if profile.not_there is not None:
            yield f"0x{NOT_THERE:04X} means that there is no such value."
            yield ""
        yield "| Value | Register | Words | Read as | Unit | Only |"
        yield "|---|---|---|---|---|---|"
        yield from _fields(profile)
        for item in profile.computed:
            yield f"| {item.key} | computed | | {_rule(item)} | {item.unit} | |"
        if profile.history is not None:
            yield ""
            yield "Days that it keeps: " + ", ".join(map(_day, profile.history.fields)) + "."
        yield ""
        yield "</details>"
        yield ""


def _fields(profile: Profile) -> Iterator[str]:
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
    for key, variants in rows.items():
        for field, models in variants:
            everywhere = len(models) == len(profile.models)
            differs = "" if everywhere else ", ".join(model.key for model in models)
            yield (
                f"| {key} | {_register(profile, field)} | {field.words} | {_read_as(field)} "
                f"| {field.unit or ''} | {differs} |"
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
    return f"{field.key} ({field.unit})"


def written(text: str) -> str:
    """Return README's text with the tables as they should be."""
    for name, lines in (("devices", devices()), ("registers", registers())):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        if not after:
            raise SystemExit(f"describe: README.md lacks the marks of {name}")
        table = "\n".join(lines).strip()
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return text


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="fail if the tables are not up to date"
    )
    options = parser.parse_args()
    text = README.read_text()
    wanted = written(text)
    if wanted == text:
        return 0
    if options.check:
        print("describe: README.md is not up to date; run scripts/describe.py", file=sys.stderr)
        return 1
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
