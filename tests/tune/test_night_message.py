"""The digest of a night on its way to a real mail server and a real webhook, which take it, refuse it, are away."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.nights.record import NightFolder, NightRecord
from tests.harness.post_office import mail_server, webhook
from tests.tune.conftest import Typed
from tests.tune.test_nightly import clock_after
from tune import night_machine, night_message

# It stands for `tune run`: fails with a Korean sentence, and says what it sees of the addresses.
PROGRAM = """\
import os, sys
print(sorted(name for name in os.environ if name in ("MAIL", "HOOK")), flush=True)
sys.exit("  데이터가   없습니다: /data/글자")
"""
STUDY = "study: plates\ntrainable: tests.toy\nspace: {lr: 0.1}\nbudget: {trials: 1}\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a night file whose window is open, and whose study fails at once."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(night_machine, "own_program", lambda: [sys.executable, str(tmp_path / "program.py")])
    monkeypatch.setattr(night_message, "PAUSES", (0.01, 0.02))
    (tmp_path / "plates.yaml").write_text(STUDY)
    return written(tmp_path / "밤.yaml", -60, 60)


def written(file: Path, start: float, end: float, notify: str = "notify: [MAIL, HOOK]") -> Path:
    """Writes a night file whose window begins and ends so many minutes from now."""
    window = f"{{start: '{clock_after(start)}', end: '{clock_after(end)}', timezone: UTC}}"
    file.write_text(f"window: {window}\nstudies: [{{file: plates.yaml}}]\n{notify}\n")
    return file


def night_of(home: Path, file: Path) -> NightRecord:
    found = NightFolder(home, file).last()
    assert found is not None
    return found


def written_by(home: Path) -> str:
    """Returns all that the nights of a home left in files."""
    return "\n".join(
        path.read_text(errors="replace") for path in sorted((home / "nights").rglob("*")) if path.is_file()
    )


def test_a_digest_arrives_as_mail_and_at_a_webhook_and_no_secret_is_left_anywhere(
    typed: Typed, home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    with mail_server() as mail, webhook(refusals=2) as hook:
        monkeypatch.setenv("MAIL", f"mailto://ada:hunter2@127.0.0.1:{mail.port}?from=ada@example.org&to=me@example.org")
        monkeypatch.setenv("HOOK", f"json://ada:hunter2@127.0.0.1:{hook.port}/sesame")
        trial = typed("nightly", "notify", file)  # Before the first night; the webhook refuses it.
        assert (trial.code, hook.tries) == (1, 1)
        said = typed("nightly", file)
        record = night_of(home, file)
        status = typed("nightly", "status", file)
        again = typed("nightly", "notify", file)
    assert (said.code, said.err, trial.err, again.code) == (1, "", "", 0)  # 1: the study is broken.
    subject, body = mail.messages[1]
    assert mail.messages[0][0] == "밤.yaml: a trial message" and set(mail.kinds) == {"text/plain"}
    assert subject == "밤.yaml: broken: plates"
    lines = body.splitlines()
    assert lines[0] == "broken: plates" and lines[1].startswith("night of ") and lines[-1].startswith("next: ")
    assert lines[2].startswith("  plates: broken; 0 trials ended")
    assert lines[3:5] == ["    its run ended with exit code 1", "      데이터가   없습니다: /data/글자"]
    assert hook.messages[0] == (subject, body) and len(hook.messages) == 2 and len(mail.messages) == 3
    assert [(each.target, each.tries, each.error) for each in record.deliveries] == [
        ("MAIL (E-Mail)", 1, None),
        ("HOOK (JSON)", 2, None),
    ]
    assert "sent to MAIL (E-Mail), " in said.out and "sent to HOOK (JSON), " in status.out
    left = "".join((written_by(home), *(answer.out + answer.err for answer in (trial, said, status, again))))
    assert "hunter2" not in left and "sesame" not in left and "example.org" not in left
    [seen] = (home / "nights").rglob("plates.log")
    assert seen.read_text() == "[]\n"  # A run does not see the addresses.


def test_a_digest_that_cannot_be_sent_is_noted_and_owed_and_the_next_start_sends_it(
    typed: Typed, home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOOK", "json://ada:hunter2@127.0.0.1:9/sesame")
    monkeypatch.delenv("MAIL", raising=False)
    said = typed("nightly", file)
    assert (said.code, said.err) == (1, "")
    assert "notify: MAIL: must be set, to an address of apprise; `export MAIL=...`" in said.out.split("its turn")[0]
    away = "not sent to HOOK (JSON) after 3 tries: A Connection error"
    status = typed("nightly", "status", file)
    assert away in said.out and away in status.out and "Connection refused" in status.out
    assert "not sent to MAIL: must be set" in status.out
    assert "hunter2" not in said.out + status.out + written_by(home)
    # By day, when both can be reached, the next start sends it.
    record = night_of(home, file)
    written(file, 120, 180)
    with mail_server() as mail, webhook() as hook:
        monkeypatch.setenv("MAIL", f"mailto://127.0.0.1:{mail.port}?from=ada@example.org&to=me@example.org")
        monkeypatch.setenv("HOOK", f"json://127.0.0.1:{hook.port}")
        assert typed("nightly", file).code == 0
        assert typed("nightly", file).code == 0
    assert [subject for subject, _ in mail.messages] == ["밤.yaml: broken: plates"] and mail.messages == hook.messages
    assert [each.tries for each in night_of(home, file).deliveries] == [1, 4]
    # A night that was killed is told of at the next start, and one that was interrupted is not.
    folder = NightFolder(home, file, None)
    for ended, why, messages in ((None, None, 1), (record.end, "interrupted", 0)):
        record.start += 3600  # It is later than the one before, by its start.
        record.ended, record.why, record.deliveries = ended, why, []
        folder.write(record)
        with webhook() as hook:
            monkeypatch.setenv("HOOK", f"json://127.0.0.1:{hook.port}")
            monkeypatch.setenv("MAIL", "")
            typed("nightly", file)
        assert len(hook.messages) == messages and all("it was cut off" in body for _, body in hook.messages)


def test_without_an_address_it_is_said_what_to_do(typed: Typed, file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NIGHTSWEEP_NOTIFY", raising=False)
    said = typed("nightly", "notify", written(file, 120, 180, notify=""))
    assert said.code == 2 and "NIGHTSWEEP_NOTIFY must be set; `export NIGHTSWEEP_NOTIFY=mailto://...`" in said.err
