"""The report as a document: self-contained, escaped, well formed, and saying what is true."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from wsdhq.evaluation import evaluate_groupings, rank_by_inner_product
from wsdhq.report import (
    GalleryItem,
    GalleryQuery,
    Method,
    ReportData,
    TrainingCurve,
    curves_from_log,
    render_report,
    write_report,
)
from wsdhq.report.markup import amount, figure, percent

# fmt: off
KNOWN_ELEMENTS = {
    "a", "article", "b", "body", "caption", "clippath", "dd", "defs", "details", "div", "dl",
    "dt", "figcaption", "figure", "footer", "g", "h1", "h2", "h3", "head", "header", "html",
    "i", "img", "li", "line", "main", "meta", "nav", "ol", "p", "path", "rect", "section",
    "small", "span", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead",
    "title", "tr", "ul", "use",
}
# fmt: on
VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)> & ' $title ${style} $x^2$"


class Page(HTMLParser):
    """A parsed page: elements with their attributes, text, and whether tags are balanced."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.texts = []
        self.errors = []
        self.open = []
        self.feed(text)
        self.close()
        self.errors += [f"{tag} left open" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"stray </{tag}>")

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag, **attributes):
        return [
            found
            for name, found in self.elements
            if name == tag and all(found.get(key) == value for key, value in attributes.items())
        ]

    def with_class(self, name):
        return [found for _, found in self.elements if name in (found.get("class") or "").split()]


def results(noise, seed=0, empty_queries=0):
    generator = np.random.default_rng(seed)
    queries = np.eye(3, dtype=int)[generator.integers(0, 3, 12)]
    queries[:empty_queries] = 0
    database = np.eye(3, dtype=int)[generator.integers(0, 3, 120)]

    def noisy(labels):
        return (labels + generator.normal(0, noise, labels.shape)).astype(np.float32)

    rank = rank_by_inner_product(noisy(queries), noisy(database))
    pairs = {"kind": (queries, database), "pair": (queries[:, :2], database[:, :2])}
    return evaluate_groupings(rank, pairs, 50)


def picture(width=64, height=64, mode="RGB"):
    return Image.new(mode, (width, height), 1 if mode in "LP" else None)


@pytest.fixture(scope="module")
def report():
    def item(number, relevant=None, image=True):
        return GalleryItem(
            f"photos/{number}.jpg",
            ["sea", f"tag {number}"],
            ["water"],
            picture() if image else None,
            relevant,
        )

    return ReportData(
        title="A run",
        summary="What it was.",
        facts={"images": "132"},
        steps=[("Train", "Something was learnt."), ("Search", "Something was found.")],
        methods=[
            Method("embedding", results(0.3), "floats", 1200),
            Method("codes", results(0.5), "bytes", 4, main=True),
        ],
        gallery=[
            GalleryQuery(item(0), [item(1, True), item(2, False), item(3, True, False)], "note 1"),
            GalleryQuery(item(4), [item(5)]),
        ],
        gallery_note="Drawn by lot.",
        training=[TrainingCurve("loss", [1, 2, 3], [0.5, 0.25, 0.125], note="Should fall.")],
        settings={"model": {"bits": 32}},
        notes=["2 pictures were skipped."],
        footer="version 1",
    )


@pytest.fixture(scope="module")
def page(report):
    return Page(render_report(report))


# the document


def test_the_page_is_well_formed(page):
    assert page.errors == []
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert page.all("html", lang="en")
    assert page.all("meta", charset="utf-8")
    assert page.all("meta", name="viewport")
    headings = [tag for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert headings.count("h1") == 1


def test_nothing_is_fetched_and_nothing_runs(report, page):
    text = render_report(report)
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    for _, found in page.elements:
        assert found.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert found.get("href", "#").startswith("#")
        assert not [name for name in found if name.startswith("on")]
    outside = [link for link in re.findall(r"url\(([^)]*)\)", text) if not link.startswith("#")]
    assert outside == []


def test_every_reference_inside_the_page_has_its_target(report, page):
    ids = {found["id"] for _, found in page.elements if "id" in found}
    links = {found["href"][1:] for _, found in page.elements if found.get("href")}
    links |= set(re.findall(r"url\(#([^)]*)\)", render_report(report)))
    links |= {found["aria-labelledby"] for _, found in page.elements if "aria-labelledby" in found}
    assert links
    assert links <= ids
    sections = {found["id"] for found in page.all("section")}
    assert sections == {"done", "results", "curves", "gallery", "training", "settings"}
    assert sections <= links


def test_both_colour_schemes_define_the_same_colours(report):
    style = re.search(r"<style>(.*?)</style>", render_report(report), re.DOTALL).group(1)
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", style, re.DOTALL)[:2]
    names = [set(re.findall(r"(--[a-z0-9-]+):", block)) for block in (light, dark)]
    assert "prefers-color-scheme: dark" in style
    assert names[0] - names[1] == {"--font"}
    assert names[1] <= names[0]
    # Each variable that is used is defined somewhere.
    used = set(re.findall(r"var\((--[a-z0-9-]+)", render_report(report)))
    inline = {"--hue", "--tile", "--columns"}
    assert used <= names[0] | inline
    assert "max-width: 640px" in style


def test_the_same_input_gives_the_same_bytes(report):
    assert render_report(report) == render_report(report)


def test_only_the_title_is_required():
    page = Page(render_report(ReportData("Nothing yet")))
    assert page.errors == []
    assert page.text.count("Nothing yet") == 2
    assert page.all("section") == []
    assert page.all("nav") == []


def test_every_text_of_the_user_is_escaped(report):
    def hostile_item(relevant, image=None):
        return GalleryItem(HOSTILE, [HOSTILE, *"abcdefgh", HOSTILE], [HOSTILE], image, relevant)

    measured = {HOSTILE: results(0.4)["kind"]}
    text = render_report(
        ReportData(
            title=HOSTILE,
            summary=HOSTILE,
            facts={HOSTILE: HOSTILE},
            steps=[(HOSTILE, HOSTILE)],
            methods=[
                Method(HOSTILE, measured, HOSTILE, 8),
                Method("b" + HOSTILE, measured, HOSTILE, 4),
            ],
            gallery=[
                GalleryQuery(
                    hostile_item(None),
                    [hostile_item(True, picture()), hostile_item(False)],
                    HOSTILE,
                )
            ],
            gallery_note=HOSTILE,
            training=[TrainingCurve(HOSTILE, [1, 2], [2, 1], x_name=HOSTILE, note=HOSTILE)],
            settings={HOSTILE: {HOSTILE: HOSTILE}},
            notes=[HOSTILE],
            footer=HOSTILE,
        )
    )
    page = Page(text)
    assert page.errors == []
    assert "<script" not in text
    assert {tag for tag, _ in page.elements} <= KNOWN_ELEMENTS
    images = page.all("img")
    assert len(images) == 1
    assert set(images[0]) == {"src", "alt", "title"}
    # What was written can be read back, unchanged, everywhere it was put.
    plain = " ".join(HOSTILE.split())
    assert page.text.count(plain) >= 25
    assert images[0]["title"] == HOSTILE


def test_broken_characters_do_not_break_the_file(tmp_path):
    broken = "a\x00b\ud800c\u202ed\x1be"
    write_report(tmp_path / "report.html", ReportData(broken))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>a\ufffdb\ufffdc\ufffdd\ufffde</h1>" in text


# figures


def test_the_table_holds_random_and_every_method(report, page):
    for grouping in ("kind", "pair"):
        first = report.methods[0].results[grouping]
        assert f"Relevant by {grouping}" in page.text
        assert f"random order nothing learnt {figure(first.map_random)}" in page.text
        for method in report.methods:
            result = method.results[grouping]
            row = (
                f"{method.name} {method.note} {result.map:.3f} {result.precision_at[10]:.3f} "
                f"{amount(method.bytes_per_image)}"
            )
            assert row in page.text
    assert "MAP@50" in page.text
    assert [row["class"] for row in page.all("tr") if "class" in row] == [
        *("random", "other", "main"),
        *("random", "other", "main"),
    ]


def test_the_tiles_set_the_main_method_against_chance(report, page):
    result = report.methods[1].results["kind"]
    right, chance = percent(result.precision_at[10]), percent(result.chance)
    assert (
        f"Relevant by kind {right} of the first 10 results are relevant codes {right} "
        f"by chance {chance}" in page.text
    )
    assert "4 B per image: 4 MB for a million images codes 4 B embedding 1.2 kB" in page.text
    assert "300 times smaller" in page.text


def test_all_figures_are_there_for_those_who_do_not_see_charts(report, page):
    result = report.methods[1].results["kind"]
    other = report.methods[0].results["kind"]
    for depth in result.precision_at:
        row = f"precision@{depth} {other.precision_at[depth]:.3f} {result.precision_at[depth]:.3f}"
        assert row in page.text
    assert f"MAP, divided by all relevant {other.map_all:.3f} {result.map_all:.3f}" in page.text
    reached = result.recall >= 0.5
    assert f"precision at recall 0.5 {other.precision[other.recall >= 0.5][0]:.3f}" in page.text
    assert f"{result.precision[reached][0]:.3f} precision at recall 0.75" in page.text


def test_skipped_queries_are_reported():
    measured = {"labels": results(0.4, empty_queries=3)["kind"]}
    page = Page(render_report(ReportData("t", methods=[Method("only", measured)])))
    assert measured["labels"].num_skipped == 3
    assert "left out of MAP: up to 3 per row" in page.text
    assert "Relevant by label " in page.text
    assert "queries skipped 3" in page.text


def test_queries_without_anything_relevant_leave_dashes_and_no_nan():
    measured = results(0.4, empty_queries=12)
    text = render_report(ReportData("t", methods=[Method("only", measured, bytes_per_image=2)]))
    page = Page(text)
    assert page.errors == []
    assert "nan" not in page.text
    assert "nan%" not in text
    assert "only – 0.000 2 B" in page.text


# curves


def test_each_grouping_has_two_charts_and_each_training_curve_one(page):
    charts = page.with_class("chart")
    assert len(charts) == 2 * 2 + 1
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert "loss: from 0.5 to 0.125" in {chart["aria-label"] for chart in charts}
    assert "loss 0.5 → 0.125" in page.text


def test_charts_follow_the_colour_scheme(report):
    text = render_report(report)
    assert "#0a0b" not in text
    drawn = re.findall(r'<svg class="chart".*?</svg>', text, re.DOTALL)
    for chart in drawn[:4]:
        assert "stroke: var(--series-random)" in chart
        assert "stroke: var(--accent)" in chart
        assert "stroke: var(--series-0)" in chart
    # Any colour left fixed would be wrong on one of the two backgrounds.
    assert not re.findall(r"(?:stroke|fill): #(?!none)[0-9a-f]{3,6}", "".join(drawn))
    assert all("<text" in chart and "<style" not in chart for chart in drawn)


def test_the_legend_names_every_line(page):
    position = page.text.index("Curves random order embedding codes")
    assert position > 0


def test_the_line_ends_where_the_result_says(report):
    """The drawn points, mapped back from the chart, are the curve."""
    chart = re.findall(r'<svg class="chart".*?</svg>', render_report(report), re.DOTALL)[0]
    path = re.search(
        r'<path d="([^"]+)"[^>]*style="[^"]*stroke: var\(--accent\)', chart, re.DOTALL
    ).group(1)
    drawn = np.array(re.findall(r"[ML] (\S+) (\S+)", path), dtype=float)
    result = report.methods[1].results["kind"]
    assert len(drawn) == len(result.recall)
    for column, values in ((0, result.recall), (1, result.precision)):
        slope, start = np.polyfit(values, drawn[:, column], 1)
        np.testing.assert_allclose(slope * values + start, drawn[:, column], atol=0.01)
        assert (slope > 0) == (column == 0)


def test_the_random_line_meets_the_curve_at_full_recall():
    """Also when some queries have nothing relevant: both leave them out."""
    measured = {"kind": results(0.4, empty_queries=5)["kind"]}
    text = render_report(ReportData("t", methods=[Method("only", measured)]))
    chart = re.findall(r'<svg class="chart".*?</svg>', text, re.DOTALL)[0]
    ends = {}
    for name in ("series-random", "accent"):
        path = re.search(rf'<path d="([^"]+)"[^>]*stroke: var\(--{name}\)', chart).group(1)
        ends[name] = np.array(re.findall(r"[ML] (\S+) (\S+)", path), dtype=float)[-1]
    np.testing.assert_allclose(ends["series-random"], ends["accent"], atol=0.01)


def test_drawing_leaves_matplotlib_as_it_was(report):
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_report(report)
    assert dict(matplotlib.rcParams) == before


def test_importing_the_report_imports_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys, wsdhq.report as r;"
        "print('matplotlib' in sys.modules, 'PIL' in sys.modules);"
        "r.render_report(r.ReportData('t', training=[r.TrainingCurve('l', [1, 2], [2, 1])]));"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.split() == ["False", "False", "True", "False"]


def test_curves_from_a_log():
    rows = [
        {"epoch": 1, "loss": 3.0, "distortion": None},
        {"epoch": 2, "loss": 2.0, "distortion": float("nan")},
        {"epoch": 3, "loss": 1.5, "distortion": 0.5, "event": "codes"},
        {"event": "resumed"},
        {"epoch": 3, "loss": 1.25, "distortion": 0.25},
        {"epoch": 4, "loss": True},
    ]
    names = {"loss": "margin loss", "distortion": "distortion", "absent": "absent"}
    curves = curves_from_log(iter(rows), names)
    assert [curve.name for curve in curves] == ["margin loss", "distortion"]
    assert (list(curves[0].x), list(curves[0].y)) == ([1, 2, 3], [3.0, 2.0, 1.25])
    assert (list(curves[1].x), list(curves[1].y)) == ([3], [0.25])
    assert Page(render_report(ReportData("t", training=curves))).errors == []


# gallery


def test_hits_and_misses_are_told_by_sign_word_and_edge(report, page):
    gallery = [found.get("class") for found in page.all("li")]
    assert gallery.count("hit") == 2
    assert gallery.count("miss") == 1
    assert gallery.count("unknown") == 1
    # One more of each in the key.
    assert len([s for s in page.with_class("sign") if "hit" in s["class"]]) == 3
    assert len([s for s in page.with_class("sign") if "miss" in s["class"]]) == 2
    assert page.text.count(" not relevant ") == 2
    text = render_report(report)
    signs = re.findall(r'<span class="sign (\w+)"[^>]*><svg[^>]*><path d="([^"]+)"', text)
    tick, cross = "M3.2 8.6l3.1 3.1 6.5-7", "M4 4l8 8M12 4l-8 8"
    assert sorted(signs) == 3 * [("hit", tick)] + 2 * [("miss", cross)]
    assert "2 of 3 relevant" in page.text
    assert "of 1 relevant" not in page.text


def test_each_picture_has_its_name_tags_and_labels(page):
    names = [image["alt"] for image in page.all("img")]
    assert names == [
        "Query: photos/0.jpg",
        "Result 1: photos/1.jpg",
        "Result 2: photos/2.jpg",
        "Query: photos/4.jpg",
        "Result 1: photos/5.jpg",
    ]
    assert "1 relevant water sea , tag 1 1.jpg" in page.text
    # The picture that is not there leaves a card with its tags.
    assert len(page.with_class("card")) == 1
    assert "sea , tag 3 3 relevant water 3.jpg" in page.text


def test_tags_in_common_with_the_query_are_bold(report):
    text = render_report(report)
    assert "<b>sea</b>, <span>tag 1</span>" in text
    assert "<span>sea</span>, <span>tag 0</span>" in text


def test_a_gallery_without_any_picture_or_judgement():
    results = [GalleryItem(str(n), [f"word{n}{m}" for m in range(n)]) for n in range(12)]
    page = Page(
        render_report(ReportData("t", gallery=[GalleryQuery(GalleryItem("q", ["a"]), results)]))
    )
    assert page.errors == []
    assert len(page.with_class("card")) == 13
    assert page.with_class("words")
    assert page.with_class("sign") == []
    assert page.with_class("labels") == []
    assert "no tags" in page.text
    # Eight tags are shown, three more are in the tooltip.
    assert "word117 , +3" in page.text
    assert page.all("span", title="word118, word119, word1110")
    # Twelve cards fill three rows of four.
    assert page.all("ol", style="--columns:4")


def test_a_query_without_results():
    page = Page(render_report(ReportData("t", gallery=[GalleryQuery(GalleryItem("q"), [])])))
    assert page.errors == []
    assert "No results." in page.text


# writing, and data that does not fit together


def test_an_error_leaves_the_old_report_whole(tmp_path, report):
    path = tmp_path / "report.html"
    write_report(path, report)
    before = path.read_bytes()
    assert before.decode("utf-8") == render_report(report)
    bad = ReportData("t", gallery=[GalleryQuery(GalleryItem("q", image=np.zeros((2, 2))), [])])
    with pytest.raises(TypeError, match="uint8"):
        write_report(path, bad)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(FileNotFoundError, match="absent"):
        write_report(tmp_path / "absent" / "report.html", report)


@pytest.mark.parametrize("points", [(), (1,), (50, 100)])
def test_tiny_and_odd_measurements_still_make_a_page(points):
    rank = rank_by_inner_product(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32))
    measured = evaluate_groupings(rank, {"x": ([[1]], [[1]])}, 1, points=points)
    report = ReportData(
        "t", methods=[Method("only", measured)], training=[TrainingCurve("l", [], [])]
    )
    page = Page(render_report(report))
    assert page.errors == []
    shown = "1.000" if points == (1,) else "–"
    assert f"only 1.000 {shown} –" in page.text


def test_methods_that_do_not_fit_together_are_refused():
    both, other = results(0.3), results(0.4)
    with pytest.raises(ValueError, match="different names"):
        ReportData("t", methods=[Method("a", both), Method("a", other)])
    with pytest.raises(ValueError, match="at most one"):
        ReportData("t", methods=[Method("a", both, main=True), Method("b", other, main=True)])
    with pytest.raises(ValueError, match=r"'a' has \['kind', 'pair'\], 'b' has \['kind'\]"):
        ReportData("t", methods=[Method("a", both), Method("b", {"kind": other["kind"]})])
    with pytest.raises(ValueError, match="same groupings"):
        ReportData("t", methods=[Method("a", {})])
    shorter = {"kind": both["kind"], "pair": evaluate_short()}
    with pytest.raises(ValueError, match=r"'a' has \(12, 120, 50\), 'b' has \(1, 2, 1\)"):
        ReportData("t", methods=[Method("a", both), Method("b", shorter)])


def evaluate_short():
    rank = rank_by_inner_product(np.ones((1, 1), np.float32), np.ones((2, 1), np.float32))
    return evaluate_groupings(rank, {"x": ([[1]], [[1], [0]])}, 1)["x"]


def test_the_last_method_is_the_main_one_unless_told():
    both = results(0.3)
    assert ReportData("t").main_method is None
    methods = [Method("a", both), Method("b", both)]
    assert ReportData("t", methods=methods).main_method is methods[1]
    methods[0] = Method("a", both, main=True)
    assert ReportData("t", methods=methods).main_method is methods[0]


def test_bad_training_curves_are_refused():
    with pytest.raises(ValueError, match="'loss': expected equal lengths, got 2 and 1"):
        TrainingCurve("loss", [1, 2], [1])
    with pytest.raises(ValueError, match="'loss': expected finite values"):
        TrainingCurve("loss", [1, 2], [1, float("inf")])
