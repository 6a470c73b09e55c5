"""The picture of docs/benchmarks.md: chart.py FILE.svg < sections.json, in the environment of requirements.lock."""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

COLOURS = ["#1b6ca8", "#7fb2d9", "#d98c3f", "#8c8c8c"]


def main(path: str) -> None:
    """One panel for each table that compares several, a bar for each contender, its ratio to the floor."""
    compares = {"ratio", "failed"}
    sections = {
        title: rows for title, rows in json.load(sys.stdin).items() if any(compares & row.keys() for row in rows)
    }
    # Text stays text, which is a tenth of its outlines.
    matplotlib.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9}
    heights = [max(2, len(rows)) for rows in sections.values()]
    figure, panels = plt.subplots(
        len(sections), 1, figsize=(9, 0.3 * sum(heights) + 0.9 * len(heights)), squeeze=False,
        gridspec_kw={"height_ratios": heights}, layout="constrained",
    )  # fmt: skip
    for panel, (title, rows) in zip(panels[:, 0], sections.items(), strict=True):
        whos = list(dict.fromkeys(row["who"] for row in rows))
        places = range(len(rows), 0, -1)
        colours = [COLOURS[whos.index(row["who"]) % len(COLOURS)] for row in rows]
        ratios = [row.get("ratio", 0) for row in rows]
        bars = panel.barh(places, ratios, color=colours)
        panel.axvline(1, color="black", linewidth=0.8)
        # A whole process beside a fetch that takes no time would leave nothing of the others to see.
        panel.set_xscale("log")
        panel.set_xlim(min(1, *(ratio for ratio in ratios if ratio)) / 1.5, 2 * max(ratios))
        panel.bar_label(bars, [f"{ratio:,.2f}" if ratio else "" for ratio in ratios], padding=3)
        for place, row in zip(places, rows, strict=True):
            if "failed" in row:
                panel.text(1.05, place, f"failed {row['failed']}", va="center", style="italic", in_layout=False)
        panel.set_yticks(places, [f"{row['race']}: {row['who']}" for row in rows])
        panel.set_title(title, loc="left")
        panel.set_xlabel("seconds, as a multiple of the floor")
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main(sys.argv[1])
