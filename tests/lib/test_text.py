"""Texts that devices send: nothing of them is obeyed by a terminal, a log or a page."""

from hypothesis import example, given, strategies as st
import pytest

from custom_components.blupow.lib.blupow_ble.text import LONGEST_NAME, cleaned, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BTRIC134000035", "BTRIC134000035"),
        ("  Sönke's   battery\n", "Sönke's battery"),
        ("x\r\n2026-01-01 ERROR forged", "x 2026-01-01 ERROR forged"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ue000\x00\x9b", ""),
        ("a" * 300, "a" * LONGEST_NAME),
    ],
)
def test_cleaned(text: str, shown: str) -> None:
    """Letters of all languages stay; what forges lines or colors does not."""
    assert cleaned(text) == shown


@example("0\r\x1b 0")
@given(st.text())
def test_cleaned_is_one_printable_line(text: str) -> None:
    """Whatever a device is called."""
    name = cleaned(text)
    assert name.isprintable()
    assert len(name) <= LONGEST_NAME
    assert cleaned(name) == name


def test_plain() -> None:
    """No link, no picture, no tag, no code."""
    text = "![x](http://evil/?q) <img src=x> `a` **b**"
    assert plain(text) == "xhttp://evil/?q img src=x a b"
