"""SVG from Python: round ticks, escaped words, a drawing that stands in a page or alone."""

from xml.etree import ElementTree as ET  # our own output

import pytest

from quantgate.report.page.drawing import Drawing, Scale, fitting, stacked, words


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (-1.5, 3, [-1, 0, 1, 2, 3]),
        (0, 6200, [0, 2000, 4000, 6000]),
        (-0.02, 0.05, [-0.02, 0, 0.02, 0.04]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high, 0, 100).ticks() == pytest.approx(ticks)


def test_a_value_beyond_the_axis_stays_on_it() -> None:
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (-5, 0, 5, 10, 50)] == [100, 100, 150, 200, 200]


def test_words_are_escaped_and_a_drawing_is_xml() -> None:
    drawing = Drawing(100, 20, 'says <b> & "more"', words(0, 10, "</text><script>x</script>\x1b[0m"))
    alone = ET.fromstring(drawing.alone())  # noqa: S314 (our own)
    assert alone.find("{http://www.w3.org/2000/svg}text").text == "</text><script>x</script>␛[0m"  # type: ignore[union-attr]
    assert "xmlns" not in drawing.inline()
    assert ET.fromstring(drawing.inline()).get("aria-label") == 'says <b> & "more"'  # noqa: S314 (our own)


def test_a_long_name_is_cut_in_its_middle() -> None:
    cut = fitting("a-very-long-name-of-a-suite-that-ends-here", 120)
    assert cut.startswith("a-very")
    assert cut.endswith("here")
    assert "…" in cut
    assert fitting("short", 120) == "short"


def test_stacked_drawings_stand_beside_and_below_each_other() -> None:
    three = stacked([Drawing(100, 50, "", words(0, 10, name)) for name in "abc"], "three", columns=2, gap=10)
    assert (three.width, three.height) == (10 + 2 * 110, 10 + 2 * 60)
    assert "translate(120 10)" in three.markup
    assert "translate(10 70)" in three.markup
