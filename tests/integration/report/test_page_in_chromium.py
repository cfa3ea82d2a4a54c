"""The page in a real Chromium: quiet, readable, usable by keyboard, and without script."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from support.chromium import Browser

TAB, ENTER, DOWN = "\ue004", "\ue007", "\ue015"
# WCAG 2.2: contrast of each text with what lies behind it, and the worst of the page.
CONTRAST = """
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  return { r, g, b, a };
};
const light = ({ r, g, b }) => [r, g, b]
  .map((value) => value / 255)
  .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
  .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.a === 1) return colour;
    if (colour.a > 0) throw new Error("half transparent");
  }
  return parse("rgb(255, 255, 255)");
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest("script, style, option, title, desc")) continue;
  const style = getComputedStyle(element);
  const text = parse(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
  const [one, other] = [light(text), light(behind(element))].sort((a, b) => b - a);
  const what = walker.currentNode.data.trim().slice(0, 30);
  found.push([(one + 0.05) / (other + 0.05), element.tagName, element.className.toString(), what]);
}
found.sort(([one], [other]) => one - other);
return [found.length, ...found.slice(0, 3)];
"""


@pytest.fixture(scope="module")
def page(year: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "report.html"
    assert main(["-C", str(year), "audit", "report", "--output", str(target)]) == 0
    return target


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.scripts(on=True)
    browser.prefer("light")
    browser.size(1440, 1000)
    browser.console()
    browser.open(page)
    return browser


def shown(browser: Browser) -> int:
    return int(
        browser.run("return document.querySelectorAll('#grants tbody tr:not([hidden])').length")
    )


def colours(png: bytes) -> set[bytes]:
    """The colours of a picture (PNG, 8 bits a channel, no interlacing), every fourth row."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) in ((8, 2), (8, 6))
    size = 3 if kind == 2 else 4
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(data)
    assert len(raw) == height * (1 + width * size)
    # Filtered bytes differ wherever the picture does: enough to tell a blank one.
    stride = 1 + width * size
    return {raw[row * stride : (row + 1) * stride] for row in range(0, height, 4)}


def test_it_opens_without_a_word_on_the_console(opened: Browser) -> None:
    assert opened.console() == []
    requests = opened.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in requests if not name.startswith("data:")] == []


def test_the_policy_stops_what_is_not_the_pages_own(opened: Browser) -> None:
    opened.run(
        "const script = document.createElement('script');"
        "script.textContent = 'window.acted = true'; document.body.append(script);"
        "const image = new Image(); image.src = 'https://example.com/x.png';"
        "document.body.append(image);"
    )
    assert opened.run("return window.acted === undefined")
    said = opened.console()
    assert any("script-src" in line for line in said)
    assert any("img-src" in line and "example.com" in line for line in said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["", "print"])
def test_every_text_can_be_read(opened: Browser, page: Path, scheme: str, media: str) -> None:
    opened.prefer(scheme, media)
    opened.open(page)
    opened.run("for (const part of document.querySelectorAll('details')) part.open = true")
    number, *worst = opened.run(CONTRAST)
    assert number > 1000
    assert worst[0][0] >= 4.5, worst


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_is_there(opened: Browser, page: Path, scheme: str) -> None:
    opened.prefer(scheme)
    opened.open(page)
    opened.run("document.querySelector('figure').scrollIntoView()")
    assert len(colours(opened.screenshot())) > 50
    bars = opened.run(
        "const box = document.querySelector('svg').getBoundingClientRect();"
        "const bars = Array.from(document.querySelectorAll('svg rect[data-n]'));"
        "return bars.map((bar) => bar.getBoundingClientRect())"
        ".filter((bar) => bar.width > 0 && bar.height > 2 && bar.right <= box.right).length"
    )
    assert bars == 400


def pillars(browser: Browser) -> list[list[float]]:
    return [
        list(pillar)
        for pillar in browser.run(
            "return Array.from(document.querySelectorAll('.pillars rect'), (rect) => ['x', 'y',"
            " 'width', 'height'].map((name) => Number(rect.getAttribute(name))))"
        )
    ]


def test_the_pillars_count_what_is_shown(opened: Browser, page: Path) -> None:
    drawn = pillars(opened)
    opened.run("document.querySelector('#filters [name=words]').focus()")
    opened.press(*"orders")
    fewer = pillars(opened)
    assert 0 < sum(tall for *_, tall in fewer) < sum(tall for *_, tall in drawn)
    opened.run("document.querySelector('#filters button').click()")
    assert opened.run_async("setTimeout(arguments[0], 50)") is None
    assert sorted(pillars(opened)) == sorted(drawn)
    (made,) = re.findall('<g class="pillars"[^>]*>(.*?)</g>', page.read_text())
    numbers = re.findall('x="(\\d+)" y="(\\d+)" width="(\\d+)" height="(\\d+)"', made)
    assert sorted(drawn) == sorted([float(number) for number in each] for each in numbers)


def test_a_bar_that_is_pointed_at_says_whose_it_is(opened: Browser) -> None:
    said = opened.run(
        "const bar = document.querySelector('svg rect[data-n=\"0\"]');"
        "bar.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));"
        "return document.getElementById('pointed').textContent"
    )
    first = opened.run("return document.querySelector('#grants tbody td').textContent")
    assert said.startswith(first)


def test_key_figures_lead_to_what_they_come_from(opened: Browser) -> None:
    targets = opened.run(
        "return Array.from(document.querySelectorAll('.figures a'), (a) => a.hash.slice(1))"
    )
    assert len(targets) == 8
    assert all(
        opened.run("return !!document.getElementById(arguments[0])", name) for name in targets
    )


def test_light_and_dark_differ(opened: Browser, page: Path) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        opened.prefer(scheme)
        opened.open(page)
        grounds.add(opened.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_grants_are_filtered_by_keyboard_alone(opened: Browser) -> None:
    total = shown(opened)
    opened.run("document.querySelector('#filters select').focus()")
    opened.press(TAB, TAB, TAB)  # to the words, past the lists
    opened.press(*"payments-db")
    some = shown(opened)
    assert 0 < some < total
    says = opened.run("return document.querySelector('#filters output').textContent")
    assert says == f"{some} of {total} grants shown"
    bars = opened.run("return document.querySelectorAll('svg rect[data-n]:not(.off)').length")
    assert bars == some
    opened.press(TAB, ENTER)  # Show all
    assert opened.run_async("setTimeout(arguments[0], 50)") is None
    assert shown(opened) == total


@pytest.mark.parametrize("field", ["resource", "subject", "lane"])
def test_each_list_filters_rows_and_bars_alike(opened: Browser, field: str) -> None:
    value = opened.run(
        f"const list = document.querySelector('#filters [name={field}]');"
        "list.focus(); return list.options[1].value"
    )
    opened.press(DOWN)
    assert opened.run(f"return document.querySelector('[name={field}]').value") == value
    place = {"subject": 1, "resource": 2, "lane": 4}[field]
    rows = opened.run(
        "return Array.from(document.querySelectorAll('#grants tbody tr:not([hidden])'),"
        f" (row) => row.cells[{place}].textContent)"
    )
    assert rows
    assert set(rows) == {value}
    bars = opened.run("return document.querySelectorAll('svg rect[data-n]:not(.off)').length")
    assert bars == len(rows)


def test_tables_are_sorted_by_keyboard(opened: Browser) -> None:
    def column() -> Any:
        return opened.run(
            "return Array.from(document.querySelectorAll('#grants tbody tr'),"
            " (row) => row.cells[1].textContent)"
        )

    opened.run("document.querySelectorAll('#grants th button')[1].focus()")
    opened.press(ENTER)
    up = column()
    assert up == sorted(up)
    assert len(up) == 400  # over both parts of the table
    opened.press(ENTER)
    assert column() == sorted(up, reverse=True)
    assert (
        opened.run("return document.querySelectorAll('#grants th')[1].getAttribute('aria-sort')")
        == "descending"
    )


def test_every_step_of_the_keyboard_is_seen(opened: Browser) -> None:
    """Nothing takes the focus without showing it, and the first stop leads to the answers."""
    opened.run("document.activeElement.blur()")
    for number in range(30):
        opened.press(TAB)
        place, width, inside = opened.run(
            "const at = document.activeElement; const box = at.getBoundingClientRect();"
            "return [at.getAttribute('href') || at.tagName,"
            " getComputedStyle(at).outlineStyle !== 'none',"
            " box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight]"
        )
        assert width, place
        assert inside, place
        if number == 0:
            assert place == "#answers"


def test_without_script_all_is_there(browser: Browser, page: Path) -> None:
    browser.scripts(on=False)
    try:
        browser.devtools("Page.navigate", url=page.as_uri())
        tree = browser.devtools("DOM.getDocument", depth=0)
        root = tree["root"]["nodeId"]

        def count(selector: str) -> int:
            found = browser.devtools("DOM.querySelectorAll", nodeId=root, selector=selector)
            return len(found["nodeIds"])

        assert count("#grants tbody tr") == 400
        assert count("svg rect[data-n]") == 400
        assert count("#filters[hidden]") == 1
        assert count("th button") == 0
    finally:
        browser.scripts(on=True)


def test_it_prints(opened: Browser) -> None:
    printed = opened.print()
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") > 3 or len(printed) > 100_000


@pytest.mark.parametrize("width", [390, 1440])
def test_the_controls_are_a_page_like_it(
    opened: Browser, year: Path, tmp_path: Path, width: int
) -> None:
    target = tmp_path / "controls.html"
    assert main(["-C", str(year), "audit", "report", "--controls", "--output", str(target)]) == 0
    opened.size(width, 1000)
    opened.open(target)
    assert opened.console() == []
    _, *worst = opened.run(CONTRAST)
    assert worst[0][0] >= 4.5, worst
    assert opened.run("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert opened.run("return document.querySelectorAll('#controls tbody tr').length") == 33


def test_on_a_phone_the_page_does_not_scroll_sideways(opened: Browser, page: Path) -> None:
    opened.size(390, 844)
    opened.open(page)
    wide = opened.run("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


def test_it_names_its_language_regions_and_headings(opened: Browser) -> None:
    assert opened.run("return document.documentElement.lang") == "en"
    assert opened.run("return document.querySelectorAll('h1').length") == 1
    nameless = opened.run(
        "return Array.from(document.querySelectorAll('[role=region], svg[role=img], section, nav'))"
        ".filter((at) => !(at.ariaLabel || at.getAttribute('aria-labelledby')"
        ".split(' ').every((id) => document.getElementById(id)?.textContent.trim()))).length"
    )
    assert nameless == 0
    fields = opened.run(
        "return Array.from(document.querySelectorAll('select, input'), (at) => at.labels.length)"
    )
    assert set(fields) == {1}
