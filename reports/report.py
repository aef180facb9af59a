"""Writes a report: report.html (one file, needs no network), report.md for a terminal, report.json for programs."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.figures.drawing import DARK
from reports.figures.progress_figure import overlay_figure
from reports.numbers.comparison import Comparison, compare
from reports.numbers.quantity import Quantity
from reports.numbers.study_view import StudyView
from reports.pages import side_by_side
from reports.pages.chapter import Chapter, build_chapter
from reports.pages.plain_text import escape, paragraph, text_table
from reports.pages.report_json import VERSION
from reports.pages.standing_tables import studies_table
from reports.words import NO_BREAK, Words, one_line

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def write_report(studies: StudyView | Sequence[StudyView], directory: Path, lang: str = "en") -> Path:
    """Writes the report of one study, or of several side by side; returns the path of report.html.

    directory is made if absent. Each file replaces its predecessor whole. report.json is described in
    reports.pages.report_json.study_numbers. Raises ValueError for an unknown language, or without a study.
    """
    views = [studies] if isinstance(studies, StudyView) else list(studies)
    if not views:
        raise ValueError("a report needs at least one study")
    comparisons = [compare(view) for view in views]
    chapters = [build_chapter(each, lang, index) for index, each in enumerate(comparisons, start=1)]
    context = _context(chapters, comparisons, lang)
    directory.mkdir(parents=True, exist_ok=True)
    environment = _environment()
    html = environment.get_template("report.html.j2").render(context | _page_parts(chapters, context["overlay"]))
    text = environment.get_template("report.md.j2").render(context).replace(NO_BREAK, " ")
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    content = {"version": VERSION, "language": lang, "written": round(time.time(), 1)}
    content |= {"side_by_side": context["side_by_side_notes"], "studies": [chapter.numbers for chapter in chapters]}
    _write(directory / "report.json", json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    _write(directory / "report.md", text)
    _write(directory / "report.html", html)
    return directory / "report.html"


def _context(chapters: Sequence[Chapter], comparisons: Sequence[Comparison], lang: str) -> dict[str, Any]:
    """Returns what both templates read."""
    words = Words(lang)
    several = len(chapters) > 1
    title = words("head.title", study=chapters[0].name)
    if several:
        title = words("head.title_several", studies=Quantity("studies", len(chapters)))
    together = several and side_by_side.comparable(comparisons)
    return {
        "lang": lang,
        "w": words,
        "title": title,
        "written": words("head.written", moment=words.moment(time.time())),
        "chapters": chapters,
        "side_by_side": studies_table(comparisons, [c.words for c in chapters], together) if several else None,
        "side_by_side_notes": side_by_side.notes(comparisons, lang) if several else [],
        "overlay": overlay_figure(comparisons, chapters[0].words) if together else None,
    }


def _page_parts(chapters: Sequence[Chapter], overlay: Any) -> dict[str, Any]:
    """Returns what only the page needs: figures as data, scripts, and a policy that forbids it every network access."""
    drawn = {name: figure for chapter in chapters for name, figure in chapter.figures.items()}
    if overlay is not None:
        drawn["overlay"] = overlay
    scripts = [_plotly_script()] if drawn else []
    scripts.append((TEMPLATES / "report.js").read_text(encoding="utf-8"))
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return {
        "drawn": sorted(drawn),
        "figure_data": script_json({name: json.loads(figure.to_json()) for name, figure in drawn.items()}),
        "dark": script_json(DARK),
        "css": (TEMPLATES / "report.css").read_text(encoding="utf-8"),
        "scripts": scripts,
        # Only the scripts written here run, whatever a name or a picture holds; nothing is loaded from anywhere.
        "policy": f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:",
    }


def script_json(value: Any) -> str:
    """Returns JSON that may stand inside <script>: no text in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@functools.cache
def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = escape
    environment.filters["one_line"] = one_line
    environment.filters["paragraph"] = paragraph
    environment.filters["text_table"] = text_table
    return environment


def _write(path: Path, text: str) -> None:
    """Replaces a file whole or not at all: a reader may have the old one open."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8", errors="replace")
    os.replace(temporary, path)
