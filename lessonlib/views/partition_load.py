"""Load by partition: how many events went to each, and which key is hot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lessonlib.lab.scenario import Run
from lessonlib.views.legend import Legend
from lessonlib.views.picture import Picture, ViewError, listing, name_of
from lessonlib.views.svg import BLUE, GREY, PANEL, RED, RULE, WIDTH, Sheet, shorten, text_width

PARTITIONS_MAX = 64
_BAR, _GAP = 16.0, 5.0
HOT = 2.0  # a partition with so many times its share is hot, and so is a key that alone has half a share

Pairs = Iterable[tuple[str, int]]


def load(
    run_or_pairs: Run | Pairs, *, partitions: int | None = None, title: str = "", kind: str = "placed"
) -> Picture:
    """Draw how many events went to each partition. In each bar its most frequent key stands apart, with its name.

    Args:
        run_or_pairs: what `scenario.run(...)` returned, or (key, partition) of each event.
        partitions: how many there are, so that empty ones are shown; left out, as the run says, or up to the greatest.
        title: what is shown; left out, the run's name.
        kind: the kind of record, with fields `key` and `partition`, that says where an event went.

    Raises ViewError when nothing went anywhere, or there are too many partitions to draw.
    """
    pairs, count, name = _read(run_or_pairs, kind)
    if not pairs:
        raise ViewError(
            f"no event went to any partition in {name or 'these pairs'}; give (key, partition) pairs"
        )
    least = 1 + max(partition for _, partition in pairs)
    partitions = partitions if partitions is not None else max(count, least)
    if (
        isinstance(partitions, bool)
        or not isinstance(partitions, int)
        or not least <= partitions <= PARTITIONS_MAX
    ):
        raise ViewError(f"partitions={partitions!r:.40} cannot be drawn; give {least} to {PARTITIONS_MAX}")
    loads: list[dict[str, int]] = [{} for _ in range(partitions)]
    for key, partition in pairs:
        loads[partition][key] = loads[partition].get(key, 0) + 1
    totals = [sum(keys.values()) for keys in loads]
    tops = [max(keys.items(), key=lambda item: (item[1], item[0]), default=("", 0)) for keys in loads]
    mean = len(pairs) / partitions

    sheet, legend = Sheet(), Legend()
    title = title or f"Load by partition: {name}"
    sheet.text(12, 20, shorten(title, WIDTH - 24, 13), size=13, bold=True)
    labels = [f"{total} ({total / mean:.1f}×)" if total else "0" for total in totals]
    left, right = 84.0, WIDTH - 20 - max(text_width(label) for label in labels)
    scale = (right - left) / max(totals)
    top, y = 38.0, 38.0
    x = left + mean * scale
    height = partitions * (_BAR + _GAP)
    sheet.path(
        f"M{x:.1f} {top - 4:.1f}v{height + 4:.1f}", stroke=GREY, stroke_dasharray="4 3", stroke_width="1.3"
    )
    for partition, (total, (key, most)) in enumerate(zip(totals, tops, strict=True)):
        sheet.text(left - 8, y + 12, f"partition {partition}", anchor="end")
        wide, hot = total * scale, most * scale
        if total:
            is_hot = most >= mean / 2
            sheet.box(left, y, wide, _BAR, BLUE)
            sheet.box(
                left,
                y,
                hot,
                _BAR,
                sheet.hatch("failed") if is_hot else "#bcd8ea",
                stroke=RED if is_hot else BLUE,
            )
            text = f"{key}: {most}"
            if text_width(text) + 10 <= hot:
                sheet.text(left + 5, y + 12, text, halo=True)
            elif text_width(text) + 12 <= wide - hot:
                sheet.text(left + hot + 6, y + 12, text, fill=PANEL)
            else:  # no room in the bar
                labels[partition] += f", {text}"
            legend.note("other keys", lambda s, x, yy: s.box(x - 8, yy - 5, 16, 10, BLUE))
            if is_hot:
                legend.note(
                    "a hot key: the partition's largest, with half of a fair share or more",
                    lambda s, x, yy: s.box(x - 8, yy - 5, 16, 10, s.hatch("failed"), stroke=RED),
                )
            else:
                legend.note(
                    "the partition's most frequent key",
                    lambda s, x, yy: s.box(x - 8, yy - 5, 16, 10, "#bcd8ea", stroke=BLUE),
                )
        sheet.text(left + wide + 6, y + 12, labels[partition], halo=True)
        y += _BAR + _GAP
    legend.note(
        f"a fair share: {mean:.4g} events",
        lambda s, x, yy: s.path(f"M{x} {yy - 5}v10", stroke=GREY, stroke_dasharray="4 3", stroke_width="1.3"),
    )
    sheet.path(f"M{left} {top - 4:.1f}V{y:.1f}", stroke=RULE)
    bottom = legend.draw(sheet, y + 4)
    return sheet.finish(title, _tell(title, pairs, totals, loads, mean), bottom + 8)


def _read(source: Any, kind: str) -> tuple[list[tuple[str, int]], int, str]:
    if isinstance(source, Run):
        found = [(str(r.data["key"]), r.data["partition"]) for r in source.history.of(kind)]
        said = source.values.get("partitions", 0)
        return found, int(said), name_of(source)
    try:
        pairs = [(str(key), partition) for key, partition in source]
    except (TypeError, ValueError):
        pairs = [("", -1)]
    if any(isinstance(p, bool) or not isinstance(p, int) or p < 0 for _, p in pairs):
        raise ViewError(
            f"load shows a run or (key, partition) pairs, not {source!r:.60}; give scenario.run(...)"
        )
    return pairs, 0, ""


def _tell(
    title: str, pairs: Sequence[tuple[str, int]], totals: list[int], loads: list[dict[str, int]], mean: float
) -> list[str]:
    keys = len({key for key, _ in pairs})
    lines = [
        f"{title}. {len(pairs)} events of {keys} keys in {len(totals)} partitions; a fair share is {mean:.4g}."
    ]
    fullest = max(range(len(totals)), key=lambda p: totals[p])
    emptiest = min(range(len(totals)), key=lambda p: totals[p])
    lines.append(
        f"Most in partition {fullest}: {totals[fullest]} ({totals[fullest] / mean:.1f} times a fair share); fewest in "
        f"partition {emptiest}: {totals[emptiest]}."
    )
    hot = [
        f"{key} ({count} events, partition {p})"
        for p, keys_there in enumerate(loads)
        for key, count in sorted(keys_there.items(), key=lambda item: (-item[1], item[0]))
        if count >= mean / 2
    ]
    lines.append(f"Hot keys: {listing(hot)}." if hot else "No key is hot.")
    places: dict[str, set[int]] = {}
    for key, partition in pairs:
        places.setdefault(key, set()).add(partition)
    scattered = [key for key, where in places.items() if len(where) > 1]
    if scattered:
        lines.append(
            f"{len(scattered)} of {keys} keys are in more than one partition: {listing(sorted(scattered), most=4)}."
        )
    return lines
