"""What `make install` and a wheel give: our own `tune` script, every declared dependency, every data file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.harness.folders import REPOSITORY
from tests.harness.source_tree import ORDER, imports_of, source_files

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DEPENDENCIES = [Requirement(text) for text in PROJECT["dependencies"]]
EXTRAS = [Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts]


def installed() -> bool:
    try:
        return bool(metadata.version("nightsweep"))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not installed(), reason="nightsweep runs from its folder; make install")
@pytest.mark.parametrize("name", ["tune", "nightsweep"])
def test_the_script_in_the_environment_is_ours_not_rays(name):
    script = Path(sysconfig.get_path("scripts")) / name
    assert "from tune import main" in script.read_text(), f"{script} is shadowed; `nightsweep doctor` says what to type"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "doctor" in done.stdout, done.stderr


def test_both_names_of_the_command_are_declared():
    assert PROJECT["scripts"] == {"tune": "tune:main", "nightsweep": "tune:main"}


def test_every_dependency_is_declared():
    """What the packages import is in the standard library, ours, or asked for by pyproject.toml."""
    providers = metadata.packages_distributions()
    declared = {canonicalize_name(r.name) for r in DEPENDENCIES}
    optional = {canonicalize_name(r.name) for r in EXTRAS}
    missing = []
    for file in source_files(REPOSITORY):
        guarded = guarded_lines(file)
        for line, name in imports_of(REPOSITORY, file):
            top = name.split(".")[0]
            if top in (*ORDER, "__future__") or top in sys.stdlib_module_names:
                continue
            allowed = declared | (optional if line in guarded else set())
            if not {canonicalize_name(provider) for provider in providers.get(top, [])} & allowed:
                missing.append(f"{file.relative_to(REPOSITORY)}:{line}: {name}")
    assert not missing, "\n".join(missing)


def guarded_lines(file: Path) -> set[int]:
    """Lines inside functions or `try`, where an extra may be imported."""
    tree = ast.parse(file.read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Try, ast.FunctionDef))]
    return {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def test_the_tested_versions_satisfy_what_is_asked():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    tested = {canonicalize_name(name): version for name, version in tested.items()}
    for requirement in DEPENDENCIES + EXTRAS:
        name = canonicalize_name(requirement.name)
        assert name in tested, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(tested[name]), f"{requirement} refuses {tested[name]}"


def test_no_address_of_a_registry_is_written_down():
    for name in ("pyproject.toml", "constraints.txt", "Makefile", ".pre-commit-config.yaml", ".ci/run"):
        text = (REPOSITORY / name).read_text()
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:///", text), name


def test_the_wheel_holds_the_packages_and_their_data(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    wanted = {file.relative_to(REPOSITORY).as_posix() for file in source_files(REPOSITORY)}
    for folder in ("reports/templates", "reports/locales"):
        wanted |= {f.relative_to(REPOSITORY).as_posix() for f in (REPOSITORY / folder).rglob("*") if f.is_file()}
    assert wanted <= names
    assert {name.split("/")[0] for name in names} <= {*ORDER, f"nightsweep-{PROJECT['version']}.dist-info"}


def test_make_says_clearly_that_python_is_too_old(tmp_path):
    """In a fresh folder with only an old python3 on PATH, `make install` names the version that it needs."""
    old = tmp_path / "bin" / "python3"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\ncase "$*" in *--version*) echo Python 3.9.2;; *-c*) exit 1;; esac\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    path = f"{old.parent}:/usr/bin:/bin"
    command = ["make", "install", f"PYTHON={old}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env={"PATH": path})
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr and "Python 3.9.2" in done.stderr
    assert not (tmp_path / ".venv").exists()
