"""The page as one file of HTML: Jinja templates of this package, every style and script in it, and nothing fetched."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import quantgate
from quantgate.plain_text import in_a_line, shown, without_secrets
from quantgate.report.page import charts, panels
from quantgate.report.page.drawing import Drawing
from quantgate.report.page.values import Page, Token

TEMPLATES = Path(__file__).parent / "templates"
MOST_CHARACTERS = 6000
"""Of a prompt or an answer; what is longer is cut, with a note that says where the rest is."""
NATS_FULL = 3.0
"""Lost by a token that is shown in full colour."""


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["shown"] = lambda text: shown(str(text), MOST_CHARACTERS)
    made.filters["flat"] = lambda text: in_a_line(str(text), MOST_CHARACTERS)
    made.filters["figures"] = lambda text: in_a_line(str(text)).replace(" %", "\u00a0%")
    made.filters["step"] = _step
    made.filters["kind"] = lambda word: str(word).replace(" ", "-")
    for name, file in (("style", "page.css"), ("script", "page.js")):
        content = (TEMPLATES / file).read_text(encoding="utf-8")
        made.globals[name] = Markup(content)  # noqa: S704 (our own file)
        # The browser runs and applies these two alone, whatever else an answer might smuggle in.
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        made.globals[f"{name}_hash"] = Markup(f"sha256-{digest}")  # noqa: S704 (letters, digits, + / =)
    made.filters["capitalize_first"] = lambda text: f"{text[:1].upper()}{text[1:]}"
    made.globals["version"] = quantgate.__version__
    return made


def _drawn(drawing: Drawing | None) -> Markup:
    """What a drawing says was escaped when it was drawn."""
    return Markup(drawing.inline() if drawing is not None else "")  # noqa: S704


def _step(token: Token) -> int:
    """How strongly a token is coloured, -4 to 4."""
    return round(4 * max(-1.0, min(1.0, token.lost / NATS_FULL)))


def _sections(page: Page) -> list[tuple[str, str, bool]]:
    """Anchor, name, and whether there is such a section."""
    return [
        ("verdicts", "Verdicts", True),
        ("scores", "Scores", bool(page.scores)),
        ("speed", "Speed", bool(page.speed)),
        ("groups", "Groups", bool(page.groups)),
        ("documents", "Documents", bool(page.documents)),
        ("flips", "Flips", bool(page.flips)),
        ("lengths", "Length", bool(page.lengths)),
        ("layers", "Layers", bool(page.layers)),
        ("engine", "Kernels", bool(page.engines)),
        ("provenance", "Provenance", bool(page.provenance)),
        ("trend", "Trend", bool(page.trends)),
        ("unreadable", "Unreadable files", bool(page.unreadable)),
    ]


def html(page: Page) -> str:
    """The whole document; without a secret of this environment, whatever a record holds."""
    order = panels.order_of([*page.scores, *page.speed])
    document = _environment().get_template("page.html").render(
        page=page,
        sections=_sections(page),
        choices={name: sorted({getattr(one, name) for one in page.flips}) for name in ("checkpoint", "suite", "group", "direction")},
        axis=_drawn(charts.forest_axis()),
        cells=[_drawn(charts.forest_cell(row)) for row in page.rows],
        score_charts=[_drawn(charts.bars(panel, order)) for panel in page.scores],
        speed_charts=[_drawn(charts.bars(panel, order)) for panel in page.speed],
        group_charts=[_drawn(charts.groups(found)) for found in page.groups],
        trend_charts=[_drawn(charts.trend(found)) for found in page.trends],
    )  # fmt: skip
    return without_secrets(document)
