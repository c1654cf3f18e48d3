"""SVG to PNG, with the shipped font and no other, so that the same picture comes out everywhere."""

from __future__ import annotations

from importlib.resources import as_file, files

from archspec.errors import ArchspecError

MOST_PIXELS = 300_000_000
"""Beyond it, memory would be short: about 1.2 GB."""


def png_of(svg: str, scale: float) -> bytes:
    """The picture, `scale` pixels for each of the SVG's. Errors: ArchspecError if it is too large"""
    import resvg_py

    width, height = (float(text) for text in svg.partition('viewBox="0 0 ')[2].partition('"')[0].split())
    if width * height * scale * scale > MOST_PIXELS:
        size = f"{width * scale:,.0f} x {height * scale:,.0f} pixels"
        raise ArchspecError(f"a PNG of {size} is too large\n  hint: a smaller --depth or --scale, or SVG")
    with as_file(files("archspec.drawing") / "font" / "Arimo-Regular.ttf") as font:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg,
                dpi=96,
                zoom=scale,
                font_files=[str(font)],
                skip_system_fonts=True,
                sans_serif_family="Arimo",
            )
        )
