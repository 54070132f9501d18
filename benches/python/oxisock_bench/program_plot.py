"""The picture of `oxisock report --plot`: where the time of a program's socket calls went."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

PARTS = (
    ("network_seconds", "waiting for the network", "#2f6f9f"),
    ("lock_seconds", "waiting for the interpreter lock", "#c4501b"),
    (None, "in the call itself", "#8a8f98"),
)
MOST = 12


def draw(path: str, report: dict[str, Any]) -> None:
    """Write the picture of a report in the format that the path's ending names."""
    groups = [("operations", report["operations"]), ("slowest call sites", report["sites"])]
    rows = [
        (title, sorted(group.items(), key=lambda item: -item[1]["seconds"])[:MOST])
        for title, group in groups
        if group
    ]
    if not rows:
        raise ValueError("nothing to draw: the program has made no socket call")
    heights = [len(entries) + 1.5 for _, entries in rows]
    figure, axes = plt.subplots(
        len(rows),
        1,
        figsize=(8, 0.32 * sum(heights) + 1.2),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, entries) in zip(axes[:, 0], rows, strict=True):
        _bars(axis, title, entries)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(report["verdict"], fontsize=9, wrap=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _bars(axis: Any, title: str, entries: list[tuple[str, dict[str, Any]]]) -> None:
    places = range(len(entries))
    left = [0.0] * len(entries)
    for key, label, color in PARTS:
        if key is not None:
            widths = [entry[key] for _, entry in entries]
        else:
            widths = [
                max(0.0, entry["seconds"] - before)
                for (_, entry), before in zip(entries, left, strict=True)
            ]
        axis.barh(places, widths, left=left, color=color, label=label)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    names = [name if len(name) <= 40 else "…" + name[-39:] for name, _ in entries]
    axis.set_yticks(places, names, fontsize=7)
    axis.invert_yaxis()
    axis.set_title(title, fontsize=9, loc="left")
    axis.set_xlabel("seconds", fontsize=7)
    axis.tick_params(axis="x", labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
