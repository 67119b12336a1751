"""SVG from Python: elements, an axis with round numbers, and a drawing that stands in a page or alone.

Colours are classes: a page gives them its own, light or dark; a drawing that stands alone carries a style with it.
"""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from quantgate.plain_text import in_a_line

LONGEST_LABEL, LONGEST_SAID = 300, 4000
WIDE, NARROW = set("mwMWQGOD@%\u2014\u2013"), set("iljtfrI.,:;'|!()[] ")
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"
STYLE = (
    f"text{{font:12px {FONT};fill:#1d2733}}.dim{{fill:#5a6672}}.small{{font-size:11px}}.bold{{font-weight:600}}"
    ".axis{stroke:#8a96a3;stroke-width:1}.grid{stroke:#e3e8ed;stroke-width:1}.limit{stroke:#b42318;stroke-width:1.5;stroke-dasharray:4 3}"
    ""
    ".mark{stroke:#56626e;stroke-width:1.25;stroke-dasharray:4 3}"
    ".whisker{stroke:#1d2733;stroke-width:1.25;fill:none}.s0{fill:#8793a1}.s1{fill:#2f6fde}.s2{fill:#b3541e}.s3{fill:#0f7b6c}"
    ".s4{fill:#7a4fc4}.s5{fill:#9a7400}.fail,.error{fill:#b42318;stroke:#b42318}.inconclusive{fill:#8a5a00;stroke:#8a5a00}"
    ".pass{fill:#15743b;stroke:#15743b}.not-compared{fill:#5a6672;stroke:#5a6672}.bar{stroke-width:2.5}.band{fill:#2f6fde;opacity:.16}"
    ".line{fill:none;stroke:#2f6fde;stroke-width:1.5}"
)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element; `class_` is `class`, `stroke_width` is `stroke-width`; numbers to a tenth. `content` is markup."""
    said = "".join(f" {key.rstrip('_').replace('_', '-')}={quoteattr(_number(value))}" for key, value in attributes.items())
    return f"<{name}{said}>{content}</{name}>" if content else f"<{name}{said}/>"


def words(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> str:
    """Text at a place; what it says is escaped, and nothing in it steers."""
    return tag("text", escape(in_a_line(text, LONGEST_LABEL)), x=x, y=y, class_=class_ or "t", text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def width_of(text: str, size: float = 12.0) -> float:
    """About how wide a text is, in pixels: enough to keep two labels apart."""
    return size * sum(0.88 if one in WIDE else 0.32 if one in NARROW else 1.0 if ord(one) > 0x2E80 else 0.57 for one in text)


def fitting(text: str, pixels: float, size: float = 12.0) -> str:
    """The text, cut in its middle where it is too wide."""
    text = in_a_line(text[:LONGEST_LABEL])
    while width_of(text, size) > pixels and len(text) > 4:
        text = f"{text[: (len(text) - 1) // 2]}…{text[(len(text) - 1) // 2 + 2 :]}"
    return text


class Scale(NamedTuple):
    """From values to pixels."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values: 1, 2 or 5 times a power of ten apart."""
        raw = (self.high - self.low) / max(1, about)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [round(number * step, 12) + 0.0 for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Drawing(NamedTuple):
    """`says`: what a reader without eyes is told; `markup`: elements."""

    width: float
    height: float
    says: str
    markup: str

    def inline(self) -> str:
        """For a page of HTML, which needs no name space."""
        box = f"0 0 {self.width:g} {self.height:g}"
        return tag(
            "svg", self.markup, viewBox=box, width=self.width, height=self.height, role="img", aria_label=in_a_line(self.says, LONGEST_SAID)
        )

    def alone(self) -> str:
        """A file of its own, in light colours on white."""
        back = tag("rect", width="100%", height="100%", fill="#ffffff")
        body = f"<style>{STYLE}</style>{back}{self.markup}"
        box = f"0 0 {self.width:g} {self.height:g}"
        return tag(
            "svg", f"<title>{escape(in_a_line(self.says, LONGEST_SAID))}</title>{body}", xmlns="http://www.w3.org/2000/svg", viewBox=box,
            width=self.width, height=self.height,
        )  # fmt: skip


def stacked(drawings: list[Drawing], says: str, columns: int = 1, gap: float = 18.0) -> Drawing:
    """Drawings below and beside each other, as one."""
    wide = max((one.width for one in drawings), default=0.0)
    markup, y = "", gap
    for first in range(0, len(drawings), columns):
        row = drawings[first : first + columns]
        for place, one in enumerate(row):
            markup += tag("g", one.markup, transform=f"translate({gap + place * (wide + gap):g} {y:g})")
        y += max(one.height for one in row) + gap
    return Drawing(gap + columns * (wide + gap), y, says, markup)
