"""Answers what people type out of habit with other tools: each gets the command that does it here."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence

# A verb of another tool's -> the command that does it here; {rest} stands for what was typed behind the verb.
_VERBS = {
    "status": "tune show {study}",
    "info": "tune show {study}",
    "ls": "tune list",
    "ps": "tune list",
    "studies": "tune list",
    "logs": "tune show {study} --trial {trial}",
    "log": "tune show {study} --trial {trial}",
    "tail": "tune attach {study}",
    "watch": "tune attach {study}",
    "follow": "tune attach {study}",
    "resume": "tune run {file}",
    "continue": "tune run {file}",
    "restart": "tune run {file}",
    "start": "tune run {file}",
    "launch": "tune run {file}",
    "sweep": "tune run {file}",
    "agent": "tune run {file}",
    "optimize": "tune run {file}",
    "search": "tune run {file}",
    "fit": "tune train {file}",
    "validate": "tune check {file}",
    "lint": "tune check {file}",
    "verify-file": "tune check {file}",
    "dry-run": "tune check {file}",
    "pause": "tune stop {study}",
    "kill": "tune stop {study}",
    "cancel": "tune stop {study}",
    "abort": "tune stop {study}",
    "rm": "tune delete {study}",
    "remove": "tune delete {study}",
    "del": "tune delete {study}",
    "clean": "tune delete {study}",
    "purge": "tune delete {study}",
    "restore": "tune delete {study} --restore",
    "undelete": "tune delete {study} --restore",
    "export": "tune best {study} --output best.yaml",
    "best-trial": "tune best {study}",
    "best-trials": "tune best {study}",
    "trials": "tune show {study}",
    "history": "tune show {study} --history",
    "plot": "tune report {study}",
    "compare": "tune report {studies}",
    "infer": "tune predict {study} FILES",
    "inference": "tune predict {study} FILES",
    "dashboard": "tune ui",
    "mlflow": "tune ui",
    "server": "tune ui",
    "create-study": "tune run {file}",
    "init": "tune run search_spaces/quickstart.yaml",
    "quickstart": "tune run search_spaces/quickstart.yaml",
    "diagnose": "tune doctor",
}
# Why it is so, where the command alone does not say it.
_WHY = {
    "resume": "every start is a resume",
    "continue": "every start is a resume",
    "restart": "every start is a resume; --fresh begins anew",
    "logs": "it names the trial's log.txt, with all that the trial printed",
    "log": "it names the trial's log.txt, with all that the trial printed",
    "export": "the best config as a file, with the place of its checkpoint; every report of every trial: "
    "tune show {study} --json --history",
}
_OPTIONS = {
    "-v": "there is no more to print; what a trial prints: tune show STUDY --trial N",
    "--verbose": "there is no more to print; what a trial prints: tune show STUDY --trial N",
    "-q": "nothing can be left out; send what is printed to a file: > run.log",
    "--quiet": "nothing can be left out; send what is printed to a file: > run.log",
    "--debug": "there is no more to print; what a trial prints: tune show STUDY --trial N",
    "--resume": "every start is a resume; leave it out",
    "--continue": "every start is a resume; leave it out",
    "--force": "every start is a resume; --fresh begins anew and moves the old study aside",
    "--overwrite": "every start is a resume; --fresh begins anew and moves the old study aside",
    "--restart": "every start is a resume; --fresh begins anew and moves the old study aside",
    "--study-name": "type --name NAME",
    "--study": "type --name NAME",
    "--n-trials": "type --trials N",
    "--num-samples": "type --trials N",
    "--max-trials": "type --trials N",
    "-n": "type --trials N",
    "--count": "type --trials N",
    "--timeout": "type --hours H",
    "--time": "type --hours H",
    "--storage": "the ledger: --ledger URL; where checkpoints go: --set storage=URL",
    "--gpus": "type --set resources.gpu=N",
    "--gpu": "type --set resources.gpu=N",
    "--cpus": "type --set resources.cpu=N",
    "--n-jobs": "type --set resources.concurrent=N",
    "--jobs": "type --set resources.concurrent=N",
    "-j": "type --set resources.concurrent=N",
    "--seed": "type --set search.seed=N",
    "--config": "name the file without an option: tune run FILE",
    "--lr": "type --set space.lr=VALUE",
    "--epochs": "type --set space.epochs=N",
}
_WITH_FILE = ("run", "train", "check")


def answer(arguments: Sequence[str], verbs: Sequence[str], options: Callable[[str], Collection[str]]) -> str | None:
    """Returns the line that answers a habit; None where the words are for the program itself.

    verbs: that there are. options: gives those of a verb.
    """
    verb, *rest = arguments
    if verb not in verbs:
        if verb.endswith((".yaml", ".yml")):
            from orchestrator.secret import mask_arguments

            return f"A study file needs a verb. Type: {shlex.join(['tune', 'run', *mask_arguments(list(arguments))])}"
        return _of_verb(verb.lower().lstrip("-"), rest, verbs)
    for word in rest:
        if word == "--":
            return None
        name = word.partition("=")[0]
        if (name != "--dry-run" and name not in _OPTIONS) or name in options(verb):
            continue
        if name == "--dry-run" and verb in _WITH_FILE:
            from orchestrator.typed_command import TypedCommand

            kept = [other for other in rest if other != "--dry-run"]
            check = TypedCommand.of("tune", verb, kept).as_verb("check")
            return f"--dry-run: this looks at everything and creates no study: {check}"
        if name in _OPTIONS and verb in _WITH_FILE:
            return f"{name}: {_OPTIONS[name]}"
        if name in ("-v", "--verbose", "-q", "--quiet"):
            return f"{name}: {_OPTIONS[name]}"
    return _second_change(verb, rest)


def began(study: str, words: Sequence[str]) -> str | None:
    """Returns the command that goes on with a study; None where none of that name is known. words: with --home."""
    from orchestrator.errors import NightsweepError
    from orchestrator.home import Home
    from orchestrator.ledger import Ledger
    from orchestrator.typed_command import TypedCommand

    usual, given = Home.usual(), TypedCommand.of("tune", "run", words)
    folder, ledger = given.values_of("--home"), given.values_of("--ledger")
    home = Home.at(folder[-1] if folder else usual.path, ledger[-1] if ledger else usual.shared)
    if not home.has_ledger:
        return None
    try:
        command = Ledger(home.ledger).study(study).facts.get("command")
    except NightsweepError:
        return None
    return str(TypedCommand.read(command).go_on()) if isinstance(command, str) else None


def _home_of(words: Sequence[str]) -> str:
    """Returns ` --home DIR` and ` --ledger URL` as they were typed, a password masked."""
    from orchestrator.typed_command import TypedCommand

    place = TypedCommand.of("tune", "show", words).place
    return f" {shlex.join(place)}" if place else ""


def help_for(arguments: Sequence[str], verbs: Sequence[str]) -> list[str] | None:
    """Returns the words that `help run`, `run help`, `version` and their like stand for; None for others."""
    if list(arguments) in (["-V"], ["-v"], ["version"], ["-version"]):
        return ["--version"]
    if arguments[:1] in (["help"], ["-help"], ["-?"]):
        return [*arguments[1:2], "--help"] if arguments[1:2] and arguments[1] in verbs else ["--help"]
    return [arguments[0], "--help"] if arguments[1:] == ["help"] and arguments[0] in verbs else None


def _of_verb(verb: str, rest: Sequence[str], verbs: Sequence[str]) -> str | None:
    """Answers a verb of another tool's, where the verb that does it here is there."""
    command = _VERBS.get(verb)
    if command is None or command.split()[1] not in verbs:
        return None
    words = _arguments(rest)
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    named = [word for word in words if word not in files]
    told = {
        "study": shlex.join(named[:1]) or "STUDY",
        "studies": shlex.join(named) or "STUDY OTHER",
        "trial": named[1] if len(named) > 1 and named[1].isdecimal() else "N",
        "file": shlex.join(files[:1]) or "FILE",
    }
    if command.endswith("{file}") and named and not files:  # They named a study, which its file runs.
        command = began(named[0], rest) or command
    if verb == "status" and not named:
        return "There is no `tune status`. Type: tune list   (and tune show STUDY)"
    why = _WHY.get(verb, "").format(**told)
    command = command.format(**told) + _home_of(rest) if command == _VERBS[verb] else command
    return f"There is no `tune {verb}`. Type: {command}" + (f"   ({why})" if why else "")


def _arguments(words: Sequence[str]) -> list[str]:
    """Returns what is no option and no value of one."""
    from orchestrator.typed_command import TypedCommand

    parts = TypedCommand.of("tune", "show", words).parts
    return [word for part in parts if not part[0].startswith("-") for word in part]


def _second_change(verb: str, rest: Sequence[str]) -> str | None:
    """Answers changes without a --set of their own, which the parser would take for arguments too many."""
    for option, value, word in zip(rest, rest[1:], rest[2:], strict=False):
        is_change = not word.startswith("-") and "." in word.partition("=")[0] and "=" in word
        if option == "--set" and "=" in value and is_change and verb in _WITH_FILE:
            return f"--set takes one change; write it before each of them: --set {shlex.quote(word)}"
    if verb not in _WITH_FILE:
        return None
    words = [word for word in _arguments(rest)[1:] if word.partition("=")[0].replace(".", "").isidentifier()]
    bare = [word if "." in word.partition("=")[0] else f"space.{word}" for word in words if "=" in word]
    if not bare:
        return None
    changes = shlex.join(word for change in bare for word in ("--set", change))
    return f"A change of the study file needs --set. Type: {changes}   (space. before a name that is searched)"
