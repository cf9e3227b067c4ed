"""The page in a real browser: it draws every figure, asks for nothing, and can be used by keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.report.document import Document
from geostore.report.page import page
from tests.browser import Browser
from tests.report_documents import document, empty_document, odd_document, one_row_document

AXE = Path(__file__).parents[1] / "axe" / "axe.min.js"
TAB = 9

Show = Callable[..., None]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Show:
    """Opens a document's page; afterwards nothing may be wrong with it."""

    def opened(shown: Document, **window: int | bool) -> None:
        path = tmp_path / "report.html"
        path.write_text(page(shown), encoding="utf-8")
        browser.open(path, **window)  # type: ignore[arg-type]
        assert browser.complaints() == []
        asked = [address for address in browser.requests() if not address.startswith("data:")]
        assert asked == [path.as_uri()]

    return opened


def axe(browser: Browser) -> list[str]:
    """What axe-core finds wrong with the page: rule, and the first element."""
    browser.run(AXE.read_text(encoding="utf-8") + "; 0")
    found = browser.run("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html))")
    return list(found)


CHARTS = "map", "distances", "difficulty", "lift", "countries", "costs", "best-of-n", "calibration"


@pytest.mark.parametrize("traces", [1, 24, 2000])
def test_every_figure_is_drawn(browser: Browser, show: Show, traces: int) -> None:
    show(document(traces))
    drawn = browser.run(
        "Object.fromEntries([...document.querySelectorAll('.chart')].map(chart =>"
        " [chart.closest('section').id, chart.querySelectorAll('.datum > *').length]))"
    )
    assert set(drawn) == {*CHARTS, "failures"}
    assert all(marks > 0 for marks in drawn.values()), drawn
    assert browser.run("document.querySelectorAll('.tiles li').length") == 8
    assert browser.run("document.querySelectorAll('#map .datum.truth > *').length") == traces
    assert browser.run("document.querySelectorAll('#traces .frame img').length") == 8
    assert browser.run("document.querySelectorAll('#traces .frame .box').length") == 8


def test_charts_stand_side_by_side_on_the_same_scale(browser: Browser, show: Show) -> None:
    show(document(24, against=True))
    assert browser.run("document.querySelectorAll('#failures .chart svg').length") == 2
    heads = browser.run("[...document.querySelectorAll('#failures h3')].map(h => h.textContent)")
    assert heads == ["qwen3-vl-235b", "qwen3-vl-32b"]
    first, second = browser.run(
        "[...document.querySelectorAll('#failures .chart')].map(chart =>"
        " chart.querySelector('.datum > *').getBoundingClientRect().width)"
    )
    assert second == pytest.approx(0.8 * first, rel=0.01)
    assert browser.run("document.querySelectorAll('#headline .other').length") == 8


def test_an_empty_figure_says_why_in_words(browser: Browser, show: Show) -> None:
    show(empty_document())
    texts = browser.run("[...document.querySelectorAll('.empty')].map(p => p.textContent)")
    assert set(texts) == {"No trace is closed yet. geostore generate fills this figure."}
    assert len(texts) == len(empty_document().figures)
    assert browser.run("document.querySelectorAll('.chart, .tiles').length") == 0


def test_one_row_is_enough_for_every_figure(browser: Browser, show: Show) -> None:
    show(one_row_document())
    assert browser.run("document.querySelectorAll('.empty').length") == 0


@pytest.mark.parametrize("width", [360, 1200])
def test_values_at_the_edges_are_drawn(browser: Browser, show: Show, width: int) -> None:
    """Unknown, all alike, zero, negative; of no country of the map; across the poles."""
    show(odd_document(), width=width)
    outside = browser.run(
        "[...document.querySelectorAll('.chart:not(.map, .countries)')].filter(chart =>"
        " [...chart.querySelectorAll('.datum > *')].some(mark =>"
        "  mark.getBoundingClientRect().top < chart.getBoundingClientRect().top))"
        ".map(chart => chart.closest('section').id)"
    )
    assert outside == []
    empty = browser.run("[...document.querySelectorAll('.empty')].map(p => p.textContent)")
    assert empty == ["No row has a value."] * 2
    assert "NaN" not in browser.run("document.querySelector('main').innerHTML")
    assert browser.run("document.documentElement.scrollWidth") == width


def test_rows_of_nothing_are_said_to_be_none(browser: Browser, show: Show) -> None:
    shown = document()
    show(replace(shown, figures=[replace(figure, rows=()) for figure in shown.figures]))
    assert browser.run("document.querySelectorAll('.empty').length") == len(shown.figures) - 1


def test_a_script_in_a_countrys_name_stays_a_name(browser: Browser, show: Show) -> None:
    show(document())
    name = "</script><script>alert(1)</script>"
    assert browser.run("document.querySelector('#countries td').textContent") == "France (FR)"
    cells = browser.run(
        "[...document.querySelectorAll('#countries td')].map(cell => cell.textContent)"
    )
    assert name in cells
    assert browser.run("document.querySelectorAll('body script').length") == 4 + 3 + 8


@pytest.mark.parametrize(
    ("width", "dark", "against"), [(360, False, True), (1440, True, False), (1440, False, False)]
)
def test_axe_finds_nothing(
    browser: Browser, show: Show, width: int, dark: bool, against: bool
) -> None:
    show(document(24, against=against), width=width, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert axe(browser) == []


def test_axe_would_find_something(browser: Browser, show: Show) -> None:
    show(document())
    browser.run("document.querySelector('img').removeAttribute('alt')")
    assert [violation.partition(":")[0] for violation in axe(browser)] == ["image-alt"]


@pytest.mark.parametrize("width", [360, 700, 1200, 1920])
def test_nothing_is_wider_than_the_window(browser: Browser, show: Show, width: int) -> None:
    show(document(24, against=True), width=width)
    assert browser.run("document.documentElement.scrollWidth") == width


def test_every_control_is_reached_by_tab_and_shows_its_focus(browser: Browser, show: Show) -> None:
    show(document())
    wanted = browser.run(
        "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    reached = set()
    browser.run("let number = 0; 0")
    for _ in range(wanted):
        browser.press("Tab", TAB)
        number, outline = browser.run(
            "(e => [e.dataset.number ??= ++number, getComputedStyle(e).outlineStyle])"
            "(document.activeElement)"
        )
        assert outline != "none"
        reached.add(number)
    assert len(reached) == wanted


def test_the_first_stop_of_tab_skips_to_the_figures(browser: Browser, show: Show) -> None:
    show(document())
    browser.press("Tab", TAB)
    assert browser.run("document.activeElement.textContent") == "Skip to the figures"
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.id") == "figures"


def test_keys_go_from_trace_to_trace_and_open_the_row(browser: Browser, show: Show) -> None:
    show(document(24))
    browser.run("document.querySelector('#map .chart').focus()")
    browser.press("n", 78)
    first = document(24).figures[1].rows[0][0]  # type: ignore[index]
    tip = browser.run("document.querySelector('#map .tip').textContent")
    assert first in tip
    assert browser.run("document.querySelector('#map .tip').hidden") is False
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.tagName") == "TR"
    assert browser.run("document.activeElement.cells[0].textContent") == first
    assert browser.run("document.querySelector('#map details.table').open") is True


def test_a_trace_that_keys_go_to_is_brought_into_view(browser: Browser, show: Show) -> None:
    show(document(24))
    browser.run("document.querySelector('#map .chart').focus()")
    for _ in range(5):
        browser.press("+", 187)
    for _ in range(6):
        browser.press("n", 78)
        inside = browser.run(
            "(() => { const m = document.querySelector('#map .chart').getBoundingClientRect();"
            " const b = document.querySelector('#map .lit .truth').getBoundingClientRect();"
            " return b.left > m.left && b.right < m.right && b.top > m.top && b.bottom < m.bottom;"
            " })()"
        )
        assert inside


def test_a_click_on_a_trace_opens_its_row(browser: Browser, show: Show) -> None:
    show(document(24))
    browser.run("document.querySelector('#map').scrollIntoView()")
    x, y, index = browser.run(
        "(e => { const b = e.getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2, e.__data__]; })"
        "(document.querySelector('#map .truth.worst > *'))"
    )
    browser.mouse("mouseMoved", x, y)
    assert browser.run("document.querySelector('#map .tip').hidden") is False
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseReleased", x, y, button="left", clickCount=1)
    shown = browser.run("document.activeElement.sectionRowIndex")
    rows = document(24).figures[1].rows
    assert rows[shown][:3] == rows[index][:3]


def test_a_map_is_zoomed_by_buttons_keys_and_wheel_and_moved_by_dragging(
    browser: Browser, show: Show
) -> None:
    show(document(24))

    browser.run("document.querySelector('#map .chart').scrollIntoView()")
    svg = "document.querySelector('#map .chart svg')"
    x, y = browser.run(
        f"(b => [b.x + b.width / 3, b.y + b.height / 3])({svg}.getBoundingClientRect())"
    )
    whole = browser.run(f"{svg}.getAttribute('viewBox')")
    browser.run("document.querySelector('#map .zoom button').click()")
    zoomed = browser.run(f"{svg}.getAttribute('viewBox')")
    assert float(zoomed.split()[2]) == pytest.approx(float(whole.split()[2]) / 1.5)
    browser.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    browser.mouse("mouseMoved", x - 40, y, button="left", buttons=1)
    browser.mouse("mouseReleased", x - 40, y, button="left", clickCount=1)
    moved = browser.run(f"{svg}.getAttribute('viewBox')")
    assert float(moved.split()[0]) == pytest.approx(float(zoomed.split()[0]) + 40 / 1.5, abs=1)
    assert browser.run("document.activeElement.tagName") != "TR"
    browser.run("document.querySelector('#map .chart').focus()")
    browser.press("0", 48)
    assert browser.run(f"{svg}.getAttribute('viewBox')") == whole
    browser.press("+", 187)
    assert browser.run(f"{svg}.getAttribute('viewBox')") == zoomed
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    browser.wait(f"{svg}.getAttribute('viewBox') !== '{zoomed}'")
    width = float(browser.run(f"{svg}.getAttribute('viewBox')").split()[2])
    assert width == pytest.approx(float(zoomed.split()[2]) / 2)


def test_a_wheel_over_a_map_that_is_not_in_use_scrolls_the_page(
    browser: Browser, show: Show
) -> None:
    show(document(24))
    svg = "document.querySelector('#map .chart svg')"
    browser.run("document.querySelector('#map .chart').scrollIntoView()")
    before = browser.run(f"[{svg}.getAttribute('viewBox'), scrollY]")
    x, y = browser.run(f"(b => [b.x + 50, b.y + 50])({svg}.getBoundingClientRect())")
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=200)
    browser.wait(f"scrollY > {before[1]}")
    assert browser.run(f"{svg}.getAttribute('viewBox')") == before[0]


def test_a_table_shows_the_rows_of_its_chart(browser: Browser, show: Show) -> None:
    show(document(600))
    browser.run("document.querySelector('#map details.table summary').click()")
    browser.wait("document.querySelectorAll('#map tbody tr').length === 600")
    first = "document.querySelector('#failures tbody tr').cells"
    texts = browser.run(f"[...{first}].map(cell => cell.textContent)")
    assert texts[:2] == ["no coordinates in the final response", "121"]
    assert texts[2:] == ["2.5\u202f%", "2.0\u202f%", "3.2\u202f%"]
    sql = browser.run("document.querySelector('#failures pre').textContent")
    assert sql == "select reason, traces, share from failures"


def test_a_pdf_is_made_of_every_figure(browser: Browser, show: Show) -> None:
    show(document(600))
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF")
    pages = pdf.count(b"/Type /Page\n")
    assert 4 <= pages <= 14
    # Afterwards the page is as it was.
    assert browser.run("[...document.querySelectorAll('details')].some(d => d.open)") is False
    assert browser.complaints() == []


def test_paper_has_tables_and_charts_of_its_width(browser: Browser, show: Show) -> None:
    show(document(600), width=1440)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details.table:not([open])').length") == 0
    assert browser.run("document.querySelectorAll('#map tbody tr').length") == 12
    width = "document.querySelector('#difficulty .chart svg').getAttribute('width')"
    assert browser.run(width) == "680"
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert int(browser.run(width)) > 680


def test_a_finger_sees_the_tooltip_before_it_opens_the_row(browser: Browser, show: Show) -> None:
    show(document(24))
    browser.run("document.querySelector('#map').scrollIntoView()")
    x, y = browser.run(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])"
        "(document.querySelector('#map .truth.worst > *').getBoundingClientRect())"
    )

    def touch() -> None:
        browser.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    touch()
    browser.wait("!document.querySelector('#map .tip').hidden")
    assert browser.run("document.querySelector('#map details.table').open") is False
    touch()
    browser.wait("document.querySelector('#map details.table').open")
