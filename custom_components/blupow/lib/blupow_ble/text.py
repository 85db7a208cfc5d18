"""Texts that come from devices: anybody can send any, so none is taken as it is."""

from typing import Final
import unicodedata

LONGEST_NAME: Final = 64

_MARKUP: Final = str.maketrans("", "", "\\`*_{}[]()<>#|~!&")


def cleaned(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a device's text without what forges lines, colors a terminal or turns its direction.

    Control and format characters, and those of private use, are left out; white space becomes a blank.
    """
    kept = (
        letter
        for letter in text
        if letter.isspace() or not unicodedata.category(letter).startswith("C")
    )
    return " ".join("".join(kept).split())[:longest].strip()


def plain(text: str) -> str:
    """Return a text without what makes links, pictures or tags where Markdown is shown.

    It is left out, not escaped: the same text also stands where no Markdown is shown.
    """
    return text.translate(_MARKUP)
