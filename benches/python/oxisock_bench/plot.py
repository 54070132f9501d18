"""The results as figures: how many times faster, and throughput over message sizes.

Throughput is drawn as a share of what the same system calls reach without Python: over six decades
of message sizes, absolute curves of all sides would lie on each other.
"""

from __future__ import annotations

import math
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .measure import SIDES, Result
from .rows.sizes import SIZES, THROUGHPUT, label

COLORS = {"stdlib": "#8a8f98", "oxisock": "#c4501b", "baseline": "#2f6f9f"}
NAMES = {
    "stdlib": "standard library",
    "oxisock": "oxisock",
    "baseline": "system calls without Python",
}


ROOM = 0.26
"""How much of the throughput's axis is kept free above the curves, for the rates."""


def draw(path: str, results: list[Result], machine: dict[str, Any], check: bool = False) -> None:
    """Write a figure in the format that the path's ending names (svg, png, pdf)."""
    figure = figure_of(results, machine, check)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def figure_of(results: list[Result], machine: dict[str, Any], check: bool = False) -> Figure:
    """Make the figure: bars, throughput, or both; with our targets if asked."""
    curves = [r for r in results if r.row.group == THROUGHPUT.name and not r.error]
    bars = _bars_of(results)
    if not bars and not curves:
        raise ValueError("nothing to draw: no row was measured")
    height = max(4.5, 0.24 * len(bars) + 1.6, 7.5 if curves else 0)
    width = (7 if bars else 0) + (6 if curves else 0)
    figure = plt.figure(figsize=(width, height), layout="constrained")
    both = bool(bars and curves)
    areas = figure.subfigures(1, 2, width_ratios=[7, 6], squeeze=False)[0] if both else [figure] * 2
    if bars:
        _draw_bars(areas[0].subplots(), bars, check)
    if curves:
        transports = list(dict.fromkeys(_transport(result) for result in curves))
        axes = areas[1].subplots(len(transports), 1, sharex=True, squeeze=False)[:, 0]
        for axis, transport in zip(axes, transports, strict=True):
            _draw_curve(axis, transport, [r for r in curves if _transport(r) == transport])
        handles, labels = axes[0].get_legend_handles_labels()
        # Below the axes: among the curves it would lie on one of them.
        axes[-1].set_xlabel("message size")
        areas[1].legend(
            handles, labels, frameon=False, fontsize=8, loc="outside lower center", ncols=3
        )
    about = [machine[key] for key in ("processor", "system", "python")]
    figure.supxlabel(
        f"{', '.join(about)}, {machine['cores']} cores",
        fontsize=7,
        color="gray",
    )
    return figure


def _bars_of(results: list[Result]) -> list[Result]:
    """The rows worth a bar: with a target of their own, or all when none of them has one."""
    whole = [r for r in results if r.ratio and r.row.group != THROUGHPUT.name]
    return [r for r in whole if r.row.target is not None] or whole


def _draw_bars(axis: Axes, results: list[Result], check: bool) -> None:
    ratios = [result.ratio or 0 for result in results]
    places = range(len(results))
    # A bar that goes to the left of 1 has its figure there, so that the line at 1 crosses none.
    axis.barh(places, [ratio - 1 for ratio in ratios], left=1, color=COLORS["oxisock"])
    for place, (result, ratio) in enumerate(zip(results, ratios, strict=True)):
        end = ratio
        if check:
            goal = result.row.goal
            axis.plot([goal] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1)
            end = min(ratio, goal) if ratio < 1 else max(ratio, goal)
        axis.annotate(
            f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}",
            (end, place),
            xytext=(-3 if ratio < 1 else 3, 0),
            textcoords="offset points",
            ha="right" if ratio < 1 else "left",
            va="center",
            fontsize=7,
        )
    axis.axvline(1, color=COLORS["stdlib"], linewidth=1)
    axis.set_xscale("log")
    low, high = min(0.7, *ratios), max(2.0, *ratios)
    # Room for the figures at both ends, whatever decades lie between: no axis crosses one.
    room = (high / low) ** 0.16
    axis.set_xlim(low / room, high * room)
    axis.set_yticks(places, [result.row.name for result in results], fontsize=7)
    axis.set_ylim(len(results) - 0.5, -0.5)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    line = " (line: target)" if check else ""
    axis.set_title(f"Times faster than the standard library{line}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def _transport(result: Result) -> str:
    return result.row.name.split(".")[1]


def _draw_curve(axis: Axes, transport: str, results: list[Result]) -> None:
    sizes = [result.row.payload for result in results]
    highest = 100.0
    for side in SIDES:
        shares = [100 * result.times["baseline"] / result.times[side] for result in results]
        highest = max(highest, *shares)
        axis.plot(sizes, shares, color=COLORS[side], marker=".", label=NAMES[side])
    # Above all curves, and no grid line goes there.
    for result in results:
        rate = result.row.payload / result.times["oxisock"] / 1e6
        axis.annotate(
            f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}",
            (result.row.payload, highest * (1 + ROOM / 2)),
            ha="center",
            va="center",
            fontsize=7,
        )
    axis.axhline(100, color=COLORS["baseline"], linewidth=1, label=NAMES["baseline"])
    axis.set_xscale("log", base=2)
    axis.set_xticks(SIZES, [label(size) for size in SIZES], fontsize=7)
    axis.set_ylim(0, highest * (1 + ROOM))
    axis.set_yticks(range(0, round(highest) + 1, 25 * math.ceil(highest / 200)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
    axis.set_title(
        f"{transport.upper()}: throughput of send+recv (figures: MB/s of oxisock)", fontsize=9
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", alpha=0.3)
