"""The results as figures: how many times faster, and throughput over message sizes."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from .measure import Result
from .rows.sizes import THROUGHPUT, label

COLORS = {"stdlib": "#8a8f98", "oxisock": "#c4501b", "floor": "#2f6f9f"}
NAMES = {"stdlib": "standard library", "oxisock": "oxisock", "floor": "system calls without Python"}


def draw(path: str, results: list[Result], machine: dict[str, Any]) -> None:
    """Write a figure in the format that the path's ending names (svg, png, pdf)."""
    curves = [result for result in results if result.row.group == THROUGHPUT.name]
    bars = _bars_of(results)
    if not bars and not curves:
        raise ValueError("nothing to draw: no row was measured")
    height = max(4.5, 0.24 * len(bars) + 1.6, 7.5 if curves else 0)
    width = (7 if bars else 0) + (6 if curves else 0)
    figure = plt.figure(figsize=(width, height), layout="constrained")
    parts = figure.subfigures(1, 2, width_ratios=[7, 6]) if bars and curves else [figure] * 2
    if bars:
        _draw_bars(parts[0].subplots(), bars)
    if curves:
        transports = list(dict.fromkeys(_transport(result) for result in curves))
        axes = parts[1].subplots(len(transports), 1, sharex=True, squeeze=False)[:, 0]
        for axis, transport in zip(axes, transports, strict=True):
            _draw_curve(axis, transport, [r for r in curves if _transport(r) == transport])
        axes[0].legend(frameon=False, fontsize=8)
        axes[-1].set_xlabel("message size")
    figure.supxlabel(
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, {machine['python']}",
        fontsize=7,
        color="gray",
    )
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _bars_of(results: list[Result]) -> list[Result]:
    """The rows worth a bar: with a target of their own, or all when none of them has one."""
    whole = [r for r in results if r.ratio and r.row.group != THROUGHPUT.name]
    return [r for r in whole if r.row.target is not None] or whole


def _draw_bars(axis: Axes, results: list[Result]) -> None:
    ratios = [result.ratio or 0 for result in results]
    places = range(len(results))
    axis.barh(places, [ratio - 1 for ratio in ratios], left=1, color=COLORS["oxisock"])
    for place, result in zip(places, results, strict=True):
        axis.plot([result.row.goal] * 2, [place - 0.4, place + 0.4], color="black", linewidth=1)
        axis.annotate(
            f" {result.ratio:,.3g}", (max(result.ratio or 1, 1), place), va="center", fontsize=7
        )
    axis.axvline(1, color=COLORS["stdlib"], linewidth=1)
    axis.set_xscale("log")
    axis.set_xlim(min(0.7, *ratios), max(2.0, *ratios) * 2)
    axis.set_yticks(places, [result.row.name for result in results], fontsize=7)
    axis.set_ylim(len(results) - 0.5, -0.5)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axis.set_title("Times faster than the standard library (line: target)", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def _transport(result: Result) -> str:
    return result.row.name.split(".")[1]


def _draw_curve(axis: Axes, transport: str, results: list[Result]) -> None:
    shown = [result for result in results if not result.error]
    for side, color in COLORS.items():
        points = [(r.row.payload, r.row.payload / r.times[side] / 1e6) for r in shown]
        axis.plot(*zip(*points, strict=True), color=color, marker=".", label=NAMES[side])
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: label(round(value))))
    axis.set_title(f"{transport.upper()}: throughput of send+recv, MB/s", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.3)
