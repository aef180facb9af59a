"""The three files: every state of a study, hostile names, no network, several studies, the browser."""

from __future__ import annotations

import json
import math
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from orchestrator.trial import Objective
from reports.numbers.study_view import StudyView
from reports.report import script_json, write_report
from tests.reports.demo_study import demo_trials, demo_view
from tests.reports.few_trials import LOSS, study, trial

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>%{x}{{7*7}}\u2028|`*_\x1b[31m"


class Page(HTMLParser):
    """Reads what a browser would act on: (tag, attributes), the text outside scripts, the scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.scripts = "", []
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data

    @property
    def plain(self) -> str:
        return " ".join(self.text.replace("\u00a0", " ").split())


def strict(path: Path) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    return write_report(demo_view(directory), directory / "hrnet" / "report")


def test_the_page_says_first_what_leads_and_what_to_do_next(demo):
    text = Page(demo).plain
    places = [text.index(part) for part in ("Verdict", "not yet confirmed", "Next", "tune best hrnet", "Standing")]
    assert places == sorted(places)
    for part in ("All trials", "Learning curves", "What each parameter did", "Failures", "Run it again", "Environment"):
        assert part in text
    assert "CUDA out of memory" in text and "receipts-3272" in text and "versions.torch" in text


def test_the_page_loads_nothing(demo):
    page = Page(demo)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        for name in ("src", "href", "action", "srcset", "data"):
            value = attributes.get(name) or ""
            assert not re.match(r"\s*(https?:|//|ftp:)", value), (tag, value)
    style = re.search(r"<style>(.*?)</style>", demo.read_text(), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    [policy] = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy


def test_plotly_is_in_the_page_once_and_the_pictures_of_the_best_trial_too(demo):
    page = Page(demo)
    assert sum(len(script) > 1_000_000 for script in page.scripts) == 1
    pictures = [a for t, a in page.tags if t == "img"]
    assert len(pictures) == 4
    assert all((a["src"] or "").startswith("data:image/png;base64,") for a in pictures)
    assert pictures[0]["alt"] == "receipt 001 hmean 0.97"


def test_every_figure_of_the_page_has_its_data(demo):
    page = Page(demo)
    figures = json.loads(next(s for s in page.scripts if s.startswith('{"s1-')))
    wanted = [a["data-figure"] for _, a in page.tags if "data-figure" in a]
    assert sorted(figures) == sorted(wanted)
    assert {"s1-curves", "s1-progress", "s1-slice1"} <= set(wanted)


def test_the_json_holds_what_the_page_says(demo):
    content = strict(demo.with_name("report.json"))
    assert content["version"] == 1 and content["language"] == "en"
    [told] = content["studies"]
    assert told["study"] == "hrnet" and told["objective"] == {"metric": "val/hmean", "mode": "max"}
    assert told["best"] == told["trials"][0]["number"]
    assert told["verdict"]["standing"] == "unknown"
    assert told["verdict"]["text"].replace("\u00a0", " ") in Page(demo).plain
    assert sum(told["counts"].values()) == len(told["trials"]) == 20
    failed = [t for t in told["trials"] if t["state"] == "failed"]
    assert {t["number"] for t in failed} == {8, 14}
    assert failed[-1]["curve"][-1]["val/hmean"] is None  # it was a NaN
    assert told["cost"]["device"] == "gpu"
    assert told["next"]["commands"][0] == "tune best hrnet --output best.yaml"


def test_the_markdown_is_aligned_and_within_a_terminal_where_it_is_prose(demo):
    text = demo.with_name("report.md").read_text()
    lines = text.splitlines()
    assert lines[0] == "# hrnet"
    assert "**Trial 18 leads the baseline “best by hand”" in text
    assert all(len(line) <= 110 for line in lines if line[:1] not in ("|", "-", " ", "*"))
    assert "\n\n\n" not in text
    assert "\u00a0" not in text and "<" not in text.replace("&lt;", "")
    table = [line for line in lines if line.startswith("|")]
    assert len(table) > 25


def test_the_same_study_makes_the_same_report(tmp_path, demo):
    again = write_report(demo_view(tmp_path), tmp_path / "report")
    first, second = strict(demo.with_name("report.json")), strict(again.with_name("report.json"))
    assert first["studies"] == second["studies"]


def hostile_study(directory: Path) -> StudyView:
    values = [[0.5, 0.6 + 0.01 * n, 0.7] for n in range(12)]
    trials = [
        trial(n, curve, config={HOSTILE: n * 0.1, "kind": HOSTILE + str(n % 2)}, facts={"host": HOSTILE})
        for n, curve in enumerate(values, start=1)
    ]
    trials[0] = replace(trials[0], baseline=HOSTILE)
    trials.append(trial(13, [], "failed", reason=HOSTILE, error=HOSTILE))
    trials = [
        replace(t, reports=tuple(replace(r, metrics={HOSTILE: r.metrics["val/accuracy"]}) for r in t.reports))
        for t in trials
    ]
    pictures = directory / "trials" / "0012" / "examples"
    pictures.mkdir(parents=True)
    from PIL import Image

    Image.new("RGB", (8, 8)).save(pictures / '" onload="alert(3)<b>.png')
    return study(
        trials,
        Objective(HOSTILE, "max"),
        name=HOSTILE,
        reason=HOSTILE,
        searched={
            HOSTILE: {"low": 0.0, "high": 2.0, "log": False},
            "kind": {"choices": [HOSTILE + "0", HOSTILE + "1"]},
        },
        fixed={HOSTILE: {HOSTILE: [HOSTILE]}},
        facts={"file": HOSTILE, HOSTILE: HOSTILE, "git": {"commit": HOSTILE}},
        data={HOSTILE: HOSTILE},
        trial_directory=directory / "trials",
    )


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_hostile_names_and_values_stay_text(tmp_path, lang):
    path = write_report([hostile_study(tmp_path), study([], name=HOSTILE)], tmp_path / "report", lang)
    page = Page(path)
    scripts = [a for t, a in page.tags if t == "script"]
    assert [a.get("type") for a in scripts] == ["application/json", "application/json", None, None]
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/")
    assert "alert(1)" in page.text  # it is shown, as text
    figures = next(s for s in page.scripts if s.startswith("{") and "curves" in s)
    assert "<" not in figures and "\u2028" not in figures
    drawn = json.loads(figures)
    hovers = json.dumps(drawn, ensure_ascii=False)
    assert "<script" not in hovers and "<img" not in hovers and "%{x}{{" not in hovers
    text = path.with_name("report.md").read_text()
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))  # what is indented is code
    assert "\x1b" not in text and "<script" not in prose and "<img" not in prose
    strict(path.with_name("report.json"))


def test_json_in_a_script_cannot_end_it():
    text = script_json({"a": "</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&"}


STATES = {
    "no trial": study([], status="running"),
    "no trial, finished": study([]),
    "one trial": study([trial(1, [0.5, 0.6])]),
    "one report": study([trial(1, [0.5], "running")], status="running"),
    "one without a report": study([trial(1, [], "running")], status="running"),
    "all not a number": study(
        [trial(n, [math.nan] * 3, "failed", reason="non-finite") for n in (1, 2)], status="failed"
    ),
    "all failed at once": study([trial(n, [], "failed", reason=None) for n in range(1, 9)], status="failed"),
    "not a number, but completed": study([trial(1, [math.nan, math.inf])]),
    "paused": study(
        [trial(1, [0.5, 0.6], "paused"), trial(2, [0.4], "pruned")], status="paused", reason="the deadline came"
    ),
    "interrupted": study([trial(n, [0.1 * n] * n, "paused") for n in range(1, 6)], status="interrupted"),
    "all equal": study([trial(n, [0.5] * 3) for n in range(1, 6)]),
    "min": study([trial(n, [3.0, 2.0 + n], metric="val/loss") for n in range(1, 15)], LOSS),
    "zero": study([trial(n, [0.0]) for n in range(1, 4)]),
    "only baselines": study([trial(1, [0.5], baseline="a"), trial(2, [0.6], baseline="b")]),
    "nothing searched": study([trial(1, [0.5, 0.7])], searched={}),
    "nothing known": study([trial(1, [0.5])], searched={"lr": {}}, facts={}, resources={}, scheduler={"name": "none"}),
    "another metric": study([trial(1, [0.5], metric="val/other", state="failed", reason="must report `val/accuracy`")]),
    "odd values": study(
        [trial(n, [0.1 * n], config={"lr": v}) for n, v in enumerate([None, True, [1, 2], {"a": 1}, "x"], 1)],
        searched={"lr": {"choices": [None, True, [1, 2], {"a": 1}, "x"]}},
    ),
    "huge": study([trial(1, [1e300]), trial(2, [-1e300])]),
    "asha of one": study([trial(1, [0.5] * 5)], scheduler={"name": "asha", "eta": 4, "grace_epochs": 1}),
}


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("name", STATES)
def test_every_state_of_a_study_makes_a_report(name, lang, tmp_path):
    path = write_report(STATES[name], tmp_path, lang)
    page = Page(path)
    assert page.plain and "Undefined" not in page.text
    for placeholder in re.findall(r"\{[a-z_]+\}", page.text + path.with_name("report.md").read_text()):
        pytest.fail(f"unfilled {placeholder}")
    assert not re.search(r"\bnan\b|\binf\b", page.plain.replace("non-finite", ""))
    strict(path.with_name("report.json"))


def test_a_study_in_which_nothing_worked_leads_with_the_failures(tmp_path):
    text = Page(write_report(STATES["all not a number"], tmp_path)).plain
    assert text.index("No result") < text.index("Failures") < text.index("All trials")
    assert text.count("Failures") == 1


def test_a_study_that_goes_on_says_so_far(tmp_path):
    text = Page(write_report(STATES["paused"], tmp_path)).plain
    assert "paused (the deadline came)" in text and "Verdict · so far" in text


def test_several_studies_stand_side_by_side_then_one_by_one(tmp_path):
    other = demo_view(tmp_path, trials=demo_trials(seed=5), name="plates", facts={"file": "plates.yaml"})
    path = write_report([demo_view(tmp_path), other], tmp_path / "report")
    page = Page(path)
    assert page.plain.index("2 studies side by side") < page.plain.index("Verdict")
    assert page.plain.count("Verdict") == 2
    assert "The data differ" in page.plain
    assert re.search(r"hrnet leads with \d+\.\d+ %, .* ahead of plates|plates leads", page.plain)
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {"overlay", "s1-curves", "s2-curves"} <= {a["data-figure"] for _, a in page.tags if "data-figure" in a}
    assert len(strict(path.with_name("report.json"))["studies"]) == 2
    assert path.with_name("report.md").read_text().startswith("# 2 studies side by side")


def test_studies_of_different_objectives_are_not_compared(tmp_path):
    text = Page(write_report([STATES["min"], STATES["one trial"]], tmp_path)).plain
    assert "The objectives differ, so the values cannot be compared." in text


def test_an_unknown_language_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="must be one of en, ko"):
        write_report(STATES["one trial"], tmp_path / "report", "fr")
    assert not (tmp_path / "report").exists()


def test_a_thousand_trials_are_drawn_in_part_and_written_in_full(tmp_path):
    trials = [trial(n, [0.001 * n] * (1 + n % 5), "pruned" if n % 5 < 4 else "completed") for n in range(1, 1001)]
    path = write_report(study(trials), tmp_path)
    text = Page(path).plain
    assert "200 of 1,000 trials are drawn" in text and "The best 500 of 1,000 trials are shown" in text
    assert len(strict(path.with_name("report.json"))["studies"][0]["trials"]) == 1000


def dumped(browser: str, page: Path, profile: Path) -> tuple[str, list[str]]:
    """Returns the page after its scripts ran, and what they wrote to the console."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=6000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.browser
def test_chromium_draws_every_figure_without_an_error(browser, tmp_path):
    path = write_report([hostile_study(tmp_path), demo_view(tmp_path)], tmp_path / "report", "ko")
    drawn, console = dumped(browser, path, tmp_path / "profile")
    assert console == []
    wanted = len(re.findall(r'data-figure="', path.read_text()))
    assert wanted >= 10
    assert drawn.count("js-plotly-plot") >= wanted
    assert "<script>alert" not in drawn


PROBE = """<script>
const rows = () => [...document.querySelectorAll(".sortable tbody tr")];
const numbers = () => rows().map((row) => row.cells[0].textContent.trim());
const press = (selector) => document.querySelector(selector).click();
const said = {};
press(".sortable th:nth-child(1) button"); said.up = numbers();
press(".sortable th:nth-child(1) button"); said.down = numbers();
press(".sortable th:nth-child(3) button"); said.value = numbers();
press(".zoom button:nth-child(2)");
said.range = document.querySelector("[data-figure=s1-curves]").layout.yaxis.range;
press(".enlarge"); said.wide = document.querySelectorAll("figure.wide").length;
const told = document.createElement("output"); told.textContent = JSON.stringify(said); document.body.append(told);
</script></body>"""


@pytest.mark.browser
def test_tables_sort_curves_zoom_and_pictures_grow(browser, tmp_path, demo):
    text = re.sub(r"<meta http-equiv[^>]*>", "", demo.read_text())  # which would forbid the probe to run
    page = tmp_path / "probed.html"
    page.write_text(text.replace("</body>", PROBE))
    drawn, console = dumped(browser, page, tmp_path / "profile")
    assert console == []
    said = json.loads(re.search(r"<output>(.*?)</output>", drawn)[1])
    assert said["up"] == [str(n) for n in range(1, 21)]
    assert said["down"] == said["up"][::-1]
    told = strict(demo.with_name("report.json"))["studies"][0]["trials"]
    values = {str(t["number"]): t["value"] for t in told if t["value"] is not None}
    assert said["value"] == [*sorted(values, key=values.__getitem__), "8"]  # what has no value stays below
    assert 90.0 < said["range"][0] < said["range"][1] < 100.0
    assert said["wide"] == 1
