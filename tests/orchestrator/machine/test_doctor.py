"""The doctor's judgements, on machines made up and on this one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from orchestrator.machine import doctor, probe
from orchestrator.machine.doctor import Level

RAY_SCRIPT = "#!/usr/bin/python3\nimport re\nimport sys\nfrom ray.tune.cli.scripts import cli\nsys.exit(cli())\n"
OUR_SCRIPT = "#!/usr/bin/python3\nimport sys\nfrom tune import main\nsys.exit(main())\n"
CARD = {"name": "NVIDIA A10G", "free": 23e9, "total": 24e9}
TORCH = {"torch": "2.15.0", "cuda": "13.0", "available": True, "fault": None, "cards": [CARD]}
Usage = namedtuple("Usage", "total used free")


def script(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tune"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_old_python_is_a_problem():
    assert doctor.check_python((3, 10)).level is Level.PROBLEM
    assert doctor.check_python((3, 13)).level is Level.OK


def test_our_own_script_on_path_is_well(tmp_path):
    own = script(tmp_path / "bin", OUR_SCRIPT)
    assert doctor.check_command(str(own), own).level is Level.OK
    link = tmp_path / "tune"
    link.symlink_to(own)
    assert doctor.check_command(str(link), own).level is Level.OK
    assert doctor.check_command(None, own).level is Level.OK


def test_a_script_overwritten_by_ray_is_a_problem_with_its_repair(tmp_path):
    own = script(tmp_path / "bin", RAY_SCRIPT)
    finding = doctor.check_command(str(own), own)
    assert finding.level is Level.PROBLEM
    assert "belongs to ray" in finding.detail
    assert "pip install --no-deps --force-reinstall" in finding.remedy and "nightsweep" in finding.remedy


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        (RAY_SCRIPT, "the `tune` of ray"),
        ("#!/bin/sh\nfrom torchtune._cli.tune import main\n", "the `tune` of torchtune"),
        (OUR_SCRIPT, "another nightsweep"),
        ("\x7fELF", "an unknown program"),
    ],
)
def test_another_tune_earlier_on_path_is_a_warning_that_says_whose(tmp_path, text, whose):
    own = script(tmp_path / "bin", OUR_SCRIPT)
    other = script(tmp_path / "elsewhere", text)
    finding = doctor.check_command(str(other), own)
    assert finding.level is Level.WARNING
    assert whose in finding.detail and str(other) in finding.detail
    assert str(own) in finding.remedy


def test_packages_missing_old_and_strange_are_told_apart():
    wanted = [Requirement("ray[tune]>=2.50"), Requirement("torch>=2.4"), Requirement("PyYAML>=6.0")]
    tested = {"ray": "2.60.0", "torch": "2.15.0", "pyyaml": "6.0.3"}

    def judge(ray: str | None, torch: str | None, yaml: str | None = "6.0.3") -> doctor.Finding:
        return doctor.judge_packages(wanted, {"ray": ray, "torch": torch, "PyYAML": yaml}, tested)

    assert judge("2.60.1", "2.16.0+cpu").level is Level.OK
    assert judge("2.61.0", "2.15.0").level is Level.WARNING  # the bridge builds on inner parts of Ray
    assert "ray==2.60.0" in judge("2.61.0", "2.15.0").remedy
    assert judge("2.60.0", "3.0.0").level is Level.WARNING
    broken = judge("2.9.3", None)
    assert broken.level is Level.PROBLEM
    assert "ray 2.9.3, needs >=2.50" in broken.detail and "torch is missing" in broken.detail
    assert "'ray>=2.50' 'torch>=2.4'" in broken.remedy


def test_the_tested_versions_are_those_of_the_constraints_file(repository):
    tested = doctor.tested_versions()
    assert f"ray=={tested['ray']}\n" in (repository / "constraints.txt").read_text()
    assert "sqlalchemy" in tested and not any(" " in name or "#" in name for name in tested)


def test_a_working_gpu_is_well_and_a_busy_one_a_warning():
    assert doctor.check_gpu(TORCH, None).level is Level.OK
    busy = doctor.check_gpu(TORCH | {"cards": [CARD, CARD | {"free": 2e9}]}, None)
    assert busy.level is Level.WARNING and "2.0 of 24.0 GB free" in busy.detail


def test_no_gpu_at_all_is_well():
    answer = TORCH | {"available": False, "cards": []}
    assert doctor.check_gpu(answer, None).level is Level.OK
    assert doctor.check_gpu(answer, []).level is Level.OK


def test_a_gpu_that_torch_cannot_use_is_a_problem():
    cards = [{"name": "NVIDIA A10G", "driver": "535.104.05"}]
    unseen = TORCH | {"available": False, "cards": []}
    assert "CUDA 13.0" in doctor.check_gpu(unseen, cards).remedy
    assert "CPU build" in doctor.check_gpu(unseen | {"cuda": None}, cards).detail
    old_card = doctor.check_gpu(TORCH | {"fault": "no kernel image is available", "cards": []}, None)
    assert old_card.level is Level.PROBLEM and "no kernel image" in old_card.detail
    assert doctor.check_gpu({"error": "libcudnn.so.9: cannot open"}, cards).level is Level.PROBLEM


def test_the_embedded_mlflow_store_is_checked_without_being_touched(home):
    file = home / "mlflow.db"
    assert doctor.check_mlflow(home, {}).level is Level.OK and not file.exists()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table t (x)")
        connection.commit()
        before = file.read_bytes()
        assert doctor.check_mlflow(home, {}).level is Level.OK
        assert file.read_bytes() == before
    file.write_bytes(b"this is not a database" * 100)
    assert doctor.check_mlflow(home, {}).level is Level.PROBLEM


def test_a_tracking_server_that_is_away_is_a_warning_and_its_password_is_not_shown(home, monkeypatch):
    uri = "http://anna:secret@localhost:9/x"
    monkeypatch.setattr(doctor, "ask_mlflow", lambda asked: {"error": f"cannot reach {asked}"})
    finding = doctor.check_mlflow(home, {"MLFLOW_TRACKING_URI": uri})
    assert finding.level is Level.WARNING and "tune sync" in finding.remedy
    assert "anna:***@localhost:9/x" in finding.detail and "secret" not in finding.detail


def test_a_home_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert doctor.check_home(tmp_path / "deep" / "runs").level is Level.PROBLEM
    assert not (tmp_path / "deep").exists()


def test_a_home_on_a_network_disk_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "filesystem", lambda place: "nfs4")
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(4e12, 1e12, 3e12))
    assert doctor.check_home(tmp_path).level is Level.WARNING


@pytest.mark.parametrize(("free", "level"), [(0.5e9, Level.PROBLEM), (5e9, Level.WARNING), (50e9, Level.OK)])
def test_the_room_on_a_disk_is_judged_by_what_is_free(tmp_path, free, level):
    assert doctor.judge_space("home", tmp_path, Usage(100e9, 100e9 - free, free), "checkpoints").level is level


def test_a_nearly_full_disk_stops_ray_before_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(500e9, 480e9, 20e9))
    assert doctor.check_temporary_space(tmp_path).level is Level.WARNING


def test_the_shared_memory_of_a_plain_container_is_a_warning(tmp_path, monkeypatch):
    assert doctor.check_shared_memory(tmp_path / "absent").level is Level.OK
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(64e6, 0, 64e6))
    assert "--shm-size" in doctor.check_shared_memory(tmp_path).remedy


def test_only_a_low_hard_limit_of_open_files_matters():
    assert doctor.check_open_files(1024, 1024).level is Level.WARNING
    assert doctor.check_open_files(1024, 524288).level is Level.OK
    assert doctor.check_open_files(1024, -1).level is Level.OK  # RLIM_INFINITY


def test_a_clock_that_was_set_back_is_noticed(home):
    (home / "ledger.db").touch()
    written = (home / "ledger.db").stat().st_mtime
    assert doctor.check_clock(home, written + 5).level is Level.OK
    finding = doctor.check_clock(home, written - 3600)
    assert finding.level is Level.WARNING and "60 minutes" in finding.detail


def test_a_probe_that_dies_answers_with_its_last_line():
    assert probe.ask("raise ValueError('no such card')", 30) == {"error": "ValueError: no such card"}
    assert probe.ask("import os; os._exit(7)", 30) == {"error": "exit code 7"}
    assert probe.ask("import time; time.sleep(60)", 0.5) == {"error": "no answer within 0.5 s"}
    assert probe.ask("import json, sys; print('noise'); print(json.dumps({'a': sys.argv[1]}))", 30, "x") == {"a": "x"}


def test_a_file_of_the_current_folder_does_not_shadow_a_library(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert probe.ask("import json; print(json.dumps({}))", 30) == {}


@pytest.mark.skipif(shutil.which("findmnt") is None, reason="needs findmnt to compare with")
def test_the_file_system_is_the_one_that_findmnt_names(tmp_path):
    named = subprocess.run(
        ["findmnt", "-n", "-o", "FSTYPE", "-T", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert probe.filesystem(tmp_path) == named.stdout.split()[-1]


@pytest.mark.ray
def test_this_machine_is_examined_within_a_minute(home):
    findings = list(doctor.examine(home))
    by_check = {finding.check: finding for finding in findings}
    assert list(by_check)[:5] == ["python", "packages", "command", "gpu", "ray"] and len(by_check) == 11
    assert by_check["ray"].level is Level.OK, by_check["ray"]
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in by_check["python"].detail
    assert all((finding.remedy is None) == (finding.level is Level.OK) for finding in findings)
    assert list(home.iterdir()) == []
