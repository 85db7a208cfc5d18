#!/usr/bin/env python3
"""Draw the brand images of the integration."""

from pathlib import Path
import sys

import _environment  # noqa: F401  first: it brings the right Python

from PIL import Image, ImageDraw, ImageFont

BRAND = Path(__file__).resolve().parent.parent / "custom_components" / "blupow" / "brand"
BLUE, DARK_BLUE, YELLOW, WHITE, INK = "#1565c0", "#0d3c75", "#ffd54f", "#ffffff", "#0d2b4e"
OVERSAMPLING = 4

# on a canvas of 100 x 100
BOLT = ((56, 14), (28, 56), (47, 56), (42, 86), (72, 42), (52, 42))
WAVES = ((30, -38, 38), (40, -38, 38), (30, 142, 218), (40, 142, 218))


def icon(size: int) -> Image.Image:
    """Draw the icon: a bolt between radio waves."""
    scale = size * OVERSAMPLING / 100
    image = Image.new("RGBA", (size * OVERSAMPLING,) * 2)
    draw = ImageDraw.Draw(image)
    box = (4 * scale, 4 * scale, 96 * scale, 96 * scale)
    draw.rounded_rectangle(
        box, radius=22 * scale, fill=BLUE, outline=DARK_BLUE, width=round(2 * scale)
    )
    for radius, begin, end in WAVES:
        ring = [
            (50 - radius) * scale,
            (50 - radius) * scale,
            (50 + radius) * scale,
            (50 + radius) * scale,
        ]
        draw.arc(ring, begin, end, fill=WHITE, width=round(3.2 * scale))
    draw.polygon([(x * scale, y * scale) for x, y in BOLT], fill=YELLOW)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def logo(height: int, ink: str) -> Image.Image:
    """Draw the logo: the icon and the name."""
    font = ImageFont.load_default(height * 0.62)
    left, top, right, bottom = font.getbbox("BluPow")
    width = round(height * 1.12 + right - left)
    image = Image.new("RGBA", (width, height))
    image.alpha_composite(icon(height))
    position = (height * 1.08 - left, (height - (bottom - top)) / 2 - top)
    ImageDraw.Draw(image).text(position, "BluPow", font=font, fill=ink)
    return image


def main() -> int:
    """Draw all of them."""
    BRAND.mkdir(exist_ok=True)
    icon(256).save(BRAND / "icon.png", optimize=True)
    icon(512).save(BRAND / "icon@2x.png", optimize=True)
    for name, ink in (("logo", INK), ("dark_logo", WHITE)):
        logo(128, ink).save(BRAND / f"{name}.png", optimize=True)
        logo(256, ink).save(BRAND / f"{name}@2x.png", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
