"""Plots as SVG, readable on light and on dark ground, without anything beside the standard library."""
import html
import math
import re

RULES = """text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: TEXT; }
.title { font-size: 15px; font-weight: 600; }
.soft, .group { fill: SOFT; }
.group { font-weight: 600; }
.grid { stroke: LINE; }
.range { stroke: LINE; stroke-width: 3; stroke-linecap: round; }
.one { stroke: SOFT; stroke-dasharray: 4 3; }
.ours { fill: OURS; }
.aside { fill: none; stroke: OURS; stroke-width: 1.5; }
.peer, .worse { fill: PEER; }
.less { fill: none; stroke: PEER; stroke-width: 1.5; }
.limit { stroke: LIMIT; stroke-width: 3; }
"""
LIGHT = {"TEXT": "#1f2328", "SOFT": "#59636e", "LINE": "#d8dee4", "OURS": "#d1590a", "PEER": "#4a76b8", "LIMIT": "#1a7f37"}
DARK = {"TEXT": "#e6edf3", "SOFT": "#9198a1", "LINE": "#3d444d", "OURS": "#ff9a4d", "PEER": "#7fb0f5", "LIMIT": "#56d364"}


def rules(colours):
    return re.sub(r"\b[A-Z]+\b", lambda name: colours.get(name[0], name[0]), RULES)


# Colours in full and not as variables, which not every viewer knows.
STYLE = f"<style>\n{rules(LIGHT)}@media (prefers-color-scheme: dark) {{\n{rules(DARK)}}}\n</style>"
WIDTH, LABELS, RIGHT, ROW = 980, 250, 250, 21


def time_text(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


class Axis:
    """A logarithmic scale between two pixels."""

    def __init__(self, low, high, left, right):
        self.low, self.high = math.floor(math.log10(low)), math.ceil(math.log10(high))
        self.high = max(self.high, self.low + 1)
        self.left, self.right = left, right

    def at(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.left + min(1, max(0, part)) * (self.right - self.left)

    def decades(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'


def circle(x, y, kind, words):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if kind == "ours" else 4}" class="{kind}"><title>{html.escape(words)}</title></circle>'


def picture(height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" role="img">\n'
            f"<title>{html.escape(title)}</title>\n{STYLE}\n" + "\n".join(parts) + "\n</svg>\n")


def grid(axis, top, bottom, words):
    parts = []
    for value in axis.decades():
        x = axis.at(value)
        parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" class="grid"/>')
        parts.append(text(x, bottom + 15, words(value), "soft", "middle"))
    return parts


def dots(title, lines):
    """A line for each case, with a dot for each contender. lines: (case, [(name, kind, ns)])."""
    times = [ns for _, points in lines for _, _, ns in points]
    axis = Axis(min(times), max(times), LABELS, WIDTH - RIGHT)
    top = 62
    bottom = top + ROW * len(lines)
    parts = [text(12, 22, title, "title")]
    legend = [("ours", "trine"), ("aside", "trine, portable"), ("peer", "peer"), ("less", "peer that promises less"), ("limit", "limit")]
    x = 18
    for kind, words in legend:
        if any(kind == each for _, points in lines for _, each, _ in points):
            parts.append(f'<line x1="{x}" y1="36" x2="{x}" y2="48" class="limit"/>' if kind == "limit" else circle(x, 42, kind, words))
            parts.append(text(x + 9, 46, words, "soft"))
            x += 32 + 7 * len(words)
    parts += grid(axis, top - 6, bottom, time_text)
    parts.append(text((axis.left + axis.right) / 2, bottom + 32, "time of one operation, logarithmic; left is faster", "soft", "middle"))
    parts.append(text(WIDTH - RIGHT + 14, top - 10, "fastest peer", "soft"))
    for index, (case, points) in enumerate(lines):
        y = top + ROW * index + ROW / 2
        parts.append(text(LABELS - 12, y + 4, case, "", "end"))
        places = [axis.at(ns) for _, _, ns in points]
        parts.append(f'<line x1="{min(places):.1f}" y1="{y}" x2="{max(places):.1f}" y2="{y}" class="range"/>')
        order = {"less": 0, "peer": 1, "limit": 2, "aside": 3, "ours": 4}
        for name, kind, ns in sorted(points, key=lambda each: order[each[1]]):
            words = f"{name}: {time_text(ns)}"
            if kind == "limit":
                place = axis.at(ns)
                parts.append(f'<line x1="{place:.1f}" y1="{y - 7}" x2="{place:.1f}" y2="{y + 7}" class="limit">'
                             f"<title>{html.escape(words)}</title></line>")
            else:
                parts.append(circle(axis.at(ns), y, kind, words))
        peers = [(ns, name) for name, kind, ns in points if kind in ("peer", "less")]
        if peers:
            parts.append(text(WIDTH - RIGHT + 14, y + 4, f"{min(peers)[1]} {time_text(min(peers)[0])}", "soft"))
    return picture(bottom + 42, title, parts)


def ratio_text(value):
    return f"{value:,.0f}×" if value >= 10 else f"{value:.2f}×" if value >= 0.1 else f"{value:.2g}×"


def ratios(title, lines):
    """A bar for each case, from 1 to the left where trine is faster; a ring where a peer is faster still that promises less.

    lines: (group, case, ratio, peer, (ratio, peer) of that one or None)."""
    if not lines:
        return picture(30, title, [text(12, 22, title, "title")])
    values = [value for line in lines for value in (line[2], line[4][0] if line[4] else line[2])]
    axis = Axis(min(0.5, min(values)), max(2, max(values)), LABELS, WIDTH - RIGHT)
    groups = list(dict.fromkeys(line[0] for line in lines))
    top = 50
    bottom = top + ROW * (len(lines) + len(groups))
    parts = [text(12, 22, title, "title")] + grid(axis, top - 6, bottom, lambda value: f"{value:g}×")
    one = axis.at(1)
    y = top
    for group in groups:
        parts.append(text(12, y + ROW / 2 + 4, group, "group"))
        y += ROW
        for _, case, value, peer, lesser in sorted((each for each in lines if each[0] == group), key=lambda each: each[2]):
            x = axis.at(value)
            kind = "ours" if value <= 1 else "worse"
            parts.append(text(LABELS - 12, y + ROW / 2 + 4, case, "", "end"))
            parts.append(f'<rect x="{min(x, one):.1f}" y="{y + 4}" width="{max(1, abs(x - one)):.1f}" height="{ROW - 8}" rx="2" class="{kind}">'
                         f"<title>{html.escape(f'{case}: {ratio_text(value)} of {peer}')}</title></rect>")
            if lesser:
                parts.append(circle(axis.at(lesser[0]), y + ROW / 2, "less", f"{case}: {ratio_text(lesser[0])} of {lesser[1]}"))
            parts.append(text(WIDTH - RIGHT + 14, y + ROW / 2 + 4, f"{ratio_text(value)} {peer}", "soft"))
            y += ROW
    parts.append(f'<line x1="{one:.1f}" y1="{top - 6}" x2="{one:.1f}" y2="{bottom}" class="one"/>')
    parts.append(text((axis.left + axis.right) / 2, bottom + 32, "left of 1: trine is faster; a ring: the fastest peer, where it promises less", "soft", "middle"))
    return picture(bottom + 42, title, parts)
