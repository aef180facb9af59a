"""The documents say what the program does: verbs, options, links, study files and the example trainable."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tune
from tests.harness.folders import REPOSITORY
from trainables import LocalRun, check_resumes

RAYS_VERBS = {"list-trials", "list-experiments"}  # passed through
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
FOLDERS = "(?:search_spaces|docs|tune|orchestrator|trainables|reports|benchmarks|tests)"
STUDY_FILES = sorted(REPOSITORY.glob("search_spaces/*.yaml"))


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_cli", REPOSITORY / "docs" / "build_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = load_builder()
VERBS = builder.verbs(tune.app)


def code_of(text: str) -> Iterator[str]:
    """Yields every line of a fenced block, then every inline code span."""
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    yield from itertools.chain.from_iterable(block.splitlines() for block in fenced)
    yield from inline


def commands_of(lines: Iterator[str]) -> Iterator[tuple[str, str, set[str]]]:
    """Yields (line, verb, long options) of every call of the command in the lines."""
    for line in lines:
        for call in re.split(r"&&|\|\||;|\s#", line):
            match = re.match(r"\s*[$>#]*\s*(?:\S*/bin/|python -m )?(?:tune|nightsweep) ([a-z][a-z-]*)\b(?!:)(.*)", call)
            if match:
                yield line, match[1], set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", match[2]))


def test_the_verbs_are_read_from_the_command():
    assert {"run", "check", "list", "show", "report", "best", "train", "doctor"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme_and_its_help_has_an_example(verb, repository):
    told = {known for _, known, _ in commands_of(code_of((repository / "README.md").read_text()))}
    assert verb in told, f"README.md shows no `tune {verb}`"
    assert f"Example: tune {verb}" in builder.help_of(tune.app, verb)


def test_the_page_of_the_command_is_fresh(repository):
    assert (repository / "docs" / "cli.md").read_text() == builder.page(tune.app), "stale; type: make reference"


def test_the_pages_of_the_study_file_are_fresh():
    from orchestrator.study_file import reference

    assert reference.stale(reference.written()) == [], "stale; type: make reference"


def test_a_stale_page_is_refused_with_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "PAGE", tmp_path / "cli.md")
    monkeypatch.setattr(sys, "argv", ["build_cli.py", "--check"])
    with pytest.raises(SystemExit, match="make reference"):
        builder.main()
    (tmp_path / "cli.md").write_text(builder.page(tune.app) + "x")
    with pytest.raises(SystemExit, match="stale"):
        builder.main()


@pytest.mark.parametrize("page", PAGES + STUDY_FILES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_command_that_is_shown_exists(page):
    text = page.read_text()
    lines = code_of(text) if page.suffix == ".md" else (line for line in text.splitlines() if line.startswith("#"))
    for line, verb, options in commands_of(lines):
        assert verb in {*VERBS, *RAYS_VERBS}, f"no such verb: {line}"
        if verb in VERBS:
            known = set(re.findall(r"--[a-z][a-z-]*", builder.help_of(tune.app, verb)))
            assert options <= known, f"no such option: {line}"


def test_the_reader_of_commands_sees_them():
    block = ".venv/bin/tune bset s --now # why\npython -m tune show s --json && tune sync\n"
    text = f"Type `tune run x.yaml --smoke`.\n```bash\n{block}```\n"
    found = [(verb, options) for _, verb, options in commands_of(code_of(text))]
    assert found == [("bset", {"--now"}), ("show", {"--json"}), ("sync", set()), ("run", {"--smoke"})]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            name, _, anchor = target.partition("#")
            path = page.parent / name if name else page
            assert path.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors_of(path.read_text()), f"{page.name} links to {target}"


def anchors_of(text: str) -> set[str]:
    """Returns the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_file_and_folder_that_is_named_exists(page):
    named = re.findall(rf"(?<![\w/]){FOLDERS}/(?:[\w-]+/)*(?:\w[\w-]*\.(?:py|md|yaml|json)\b)?", page.read_text())
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_class_and_function_that_is_named_stands_in_its_file(page):
    named = re.findall(rf"`({FOLDERS}/[\w/]+\.py):([\w.]+)`", page.read_text())
    assert [f"{file}:{name}" for file, name in named if name not in names_in(REPOSITORY / file)] == []


def test_the_reader_of_names_sees_them(tmp_path):
    (tmp_path / "a.py").write_text("X = 1\nclass A:\n    b: int\n    def c(self): ...\nasync def d(): ...\n")
    assert names_in(tmp_path / "a.py") == {"X", "A", "A.b", "A.c", "d"}


def names_in(file: Path) -> set[str]:
    """Returns what a file defines: `function`, `CONSTANT`, `Class`, `Class.member`."""
    return set(defined(ast.parse(file.read_text()).body))


def defined(body: list[ast.stmt], owner: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner + node.name
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{owner}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (owner + target.id for target in targets if isinstance(target, ast.Name))


def test_the_tree_of_the_readme_is_the_tree_that_there_is(repository):
    tree = re.search(r"^## The tree\n+```\n(.*?)^```", (repository / "README.md").read_text(), re.M | re.S)[1]
    folder, missing = repository, []
    for indent, name in re.findall(r"^( *)(\S+)", tree, re.MULTILINE):
        path = (folder if indent else repository) / name
        folder = folder if indent else path
        if not path.exists():
            missing.append(path)
    assert missing == [] and len(tree.splitlines()) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_whole_study_file_in_a_page_is_accepted(page, tmp_path, monkeypatch):
    from orchestrator.study_file.study_spec import load_study

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = page.read_text()
    for name, code in named_blocks(text, "python"):
        (tmp_path / name).write_text(code)
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if re.search(r"^study:", block, re.MULTILINE):
            (tmp_path / "study.yaml").write_text(block)
            load_study(tmp_path / "study.yaml")


def test_the_trainable_in_the_documents_learns_and_resumes(repository, tmp_path):
    blocks = dict(named_blocks((repository / "docs" / "trainables.md").read_text(), "python"))
    spec = importlib.util.spec_from_loader("digits_example", loader=None)
    module = importlib.util.module_from_spec(spec)
    sys.modules["digits_example"] = module  # dataclasses look their module up
    try:
        exec(compile(blocks["digits.py"], "digits.py", "exec"), module.__dict__)
        config = module.Config(epochs=4)
        check_resumes(module.train, config, tmp_path / "resumed")
        reports = list(module.train(config, LocalRun(tmp_path / "learnt")))
        assert len(reports) == 4 and reports[-1]["val/accuracy"] > 0.6  # ten classes: chance is 0.1
    finally:
        del sys.modules["digits_example"]


def test_the_changelog_tells_of_the_version_that_is_installed(repository):
    version = re.search(r'^version = "(.+)"$', (repository / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert f"## [{version}]" in (repository / "CHANGELOG.md").read_text()


def test_the_make_targets_that_are_shown_exist(repository):
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        shown = {m[1] for line in code_of(page.read_text()) if (m := re.match(r"\s*\$?\s*make ([a-z-]+)", line))}
        assert shown <= targets, f"{page.name} shows {shown - targets}"


def named_blocks(text: str, language: str) -> list[tuple[str, str]]:
    """Returns (file name, code) of the fenced blocks that begin with a file name in a comment, as `# digits.py` is."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(m[1], block) for block in blocks if (m := re.match(r"# (\w+\.\w+)\b", block))]


@pytest.mark.parametrize("command", [["-m", "tune"]])
def test_the_command_runs_as_a_module(command, tmp_path):
    done = subprocess.run(
        [sys.executable, *command, "--help"], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0 and "Commands" in done.stdout, done.stderr
