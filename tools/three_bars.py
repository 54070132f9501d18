"""Draw the README's figure from what ``examples/compare.py --json FILE`` has measured.

    python tools/three_bars.py FILE docs/figures/three-bars.svg

Three bars in large letters, so that it can be read on a telephone, in colours for light and dark
pages.
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

BESIDE = "request and reply beside a computing thread"
RIVAL = "… standard with sys.setswitchinterval(1e-4)"
WIDTH, BAR = 400, 250


def shown(seconds: float) -> str:
    """Return a time as people write it."""
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def draw(results: dict[str, dict[str, float]]) -> str:
    """Return the figure as SVG."""
    bars = [
        ("standard library", results[BESIDE]["standard"], "#8a8f98"),
        ("with setswitchinterval(1e-4)", results[RIVAL]["standard"], "#8a8f98"),
        ("oxisock", results[BESIDE]["oxisock"], "#c4501b"),
    ]
    longest = max(seconds for _, seconds, _ in bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 206" role="img" '
        'font-family="sans-serif" fill="#6b7280">',
        "<title>A request and its reply while another thread computes: less is better</title>",
        '<text x="8" y="22" font-size="15">request and reply beside a computing thread</text>',
    ]
    for index, (name, seconds, color) in enumerate(bars):
        top = 38 + 56 * index
        width = max(2.0, BAR * seconds / longest)
        parts.append(f'<text x="8" y="{top + 14}" font-size="16">{escape(name)}</text>')
        parts.append(
            f'<rect x="8" y="{top + 20}" width="{width:.1f}" height="22" rx="3" fill="{color}"/>'
        )
        parts.append(
            f'<text x="{14 + width:.1f}" y="{top + 37}" font-size="17" font-weight="bold">'
            f"{shown(seconds)}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(draw(json.loads(source.read_text("utf-8"))), "utf-8")
