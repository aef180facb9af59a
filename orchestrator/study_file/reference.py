"""Writes docs/search-space.md and docs/study.schema.json from the definitions that check a study file.

Run it as `python -m orchestrator.study_file.reference`; with `--check` it only says which of them are out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from orchestrator.mistake import shown
from orchestrator.space.config_field import ConfigField, config_fields
from orchestrator.space.domain_parser import KEYS
from orchestrator.study_file.schema import EXTENDS, study_schema
from orchestrator.study_file.sections import example_of, field_words
from orchestrator.study_file.study_spec import SECTIONS, WRITTEN, StudySpec
from orchestrator.study_file.yaml_file import write_yaml
from trainables.trainable import BUILT_IN, load_trainable

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMAND = "python -m orchestrator.study_file.reference"

HEAD = f"""\
# The study file

Written by `{COMMAND}` from the definitions that check the file; edit those instead.

`tune check FILE` says every mistake in a file at once, with its place and what to do. Editors check and complete study
files with the JSON Schema in [study.schema.json](study.schema.json): put its path, from the file, at the top of yours,
as in `# yaml-language-server: $schema=../docs/study.schema.json`.
"""

WHOLE = """\
# Text detection: how fast may it learn, and what does augmentation bring?
study: receipts
trainable: detection
objective: {metric: val/hmean, mode: max}
data: {root: synthetic/receipts}
space:
  backbone: tf_efficientnet_lite0                   # a value is fixed
  lr: {low: 1e-4, high: 3e-3, log: true}            # low and high make a range
  lr_schedule: [cosine, onecycle, constant]         # a list is a choice
  batch_size: {low: 4, high: 16, step: 4}
  resolution: {value: {1: 320, 5: 640}}             # 320 px from epoch 1, 640 px from epoch 5
  rotate_prob: {low: 0.0, high: 1.0}
constraints: ["lr * batch_size <= 2e-2"]
baselines:
  - {name: best by hand, lr: 4.5e-4, batch_size: 8}
budget: {trials: 40, hours: 8}
"""

# Each is a title, its meaning, and lines of `space` as an example, which a test reads.
DOMAINS = (
    ("A value", "is fixed: it is in every config.", "backbone: resnet18\nepochs: 20\nwarmup_epochs: 1.5\nema: true"),
    (
        "A list",
        "is a choice between its items, which have no order. An item may be null, or a list or mapping itself.",
        "optimizer: [adamw, sgd]\nbatch_size: [4, 8, 16]\ngradient_clip: [null, 1.0, 5.0]",
    ),
    (
        "`low` and `high`",
        "make a range, both ends included. The trainable's type decides whether it holds whole numbers; where that is "
        "not known, bounds written as whole numbers do: `{low: 0, high: 1}` is 0 or 1, `{low: 0.0, high: 1.0}` is all "
        "between. With `log: true`, 1e-5 to 1e-4 is drawn as often as 1e-4 to 1e-3. With `step`, values are exact "
        "decimals: 0.3, not 0.30000000000000004.",
        "lr: {low: 1e-5, high: 1e-2, log: true}\nlayers: {low: 2, high: 8}\ndropout: {low: 0.0, high: 0.5, step: 0.1}",
    ),
    (
        "`value`",
        "fixes a list or a mapping, which would else be a choice or a range. Keys that read as whole numbers are whole "
        "numbers, as the keys 1 and 5 here.",
        "resolution: {value: {1: 320, 5: 640}}\nmilestones: {value: [10, 15]}",
    ),
    (
        "`when`",
        "makes a name conditional: it is in a config only where every name below `when` has the value, or one of the "
        "values, that stands there. Those names must come earlier in the file, and be choices, whole numbers or fixed. "
        "A list becomes conditional as `choices`, a value as `value`. Where the condition is not met, the name is "
        "absent, and so are the names that depend on it.",
        "optimizer: [adamw, sgd]\n"
        "momentum: {low: 0.8, high: 0.99, when: {optimizer: sgd}}\n"
        "nesterov: {choices: [true, false], when: {optimizer: sgd}}\n"
        "warmup_epochs: {value: 2, when: {optimizer: [adamw]}}",
    ),
    (
        "`by`",
        "gives one name a domain for each value of another. Values that are not listed take `default`; without one, "
        "every value must be listed.",
        "backbone: [resnet18, convnext_tiny]\n"
        "weight_decay:\n"
        "  by: backbone\n"
        "  convnext_tiny: {low: 1e-3, high: 1e-1, log: true}\n"
        "  default: {low: 1e-5, high: 1e-3, log: true}",
    ),
)

NAMES = """\
Names are those of the trainable's settings (tables below, or the `Config` of your own trainable): spelling, type and
bounds are checked for every value that could be drawn. A setting that `space` does not name keeps its default. A
trainable without a `Config` takes any names.

Numbers are written as people write them: `1e-4` is a number. `true` and `false` are booleans; `yes`, `no`, `on`, `off`
and `22:00` are text. A key that stands twice, a tab, a tag or an anchor that contains itself is an error.
"""

CONSTRAINTS = """\
Text between quotes, in a list; every config must meet all of them.

```yaml
constraints:
  - "lr * batch_size <= 8e-3"
  - "min_lr < lr / 10"
  - "optimizer != 'sgd' or momentum >= 0.9"
```

`+ - * / % **`, comparisons (`<`, `<=`, `>`, `>=`, `==`, `!=`, also in a row: `1 <= a < b`), `and`, `or`, `not`,
parentheses, names of `space`, numbers, text between quotes, `true`, `false` and `null`. Nothing else: no functions, no
attributes. Numbers are the decimals that were typed: `a + b <= 0.3` takes 0.1 and 0.2. A constraint does not apply to a
config from which one of its names is absent. One that no config meets is
an error when the file is read.
"""

BASELINES = """\
A list of mappings: any of the names of `space`, and a `name` to find it by in the report. What a baseline leaves open
takes the trainable's default where that lies inside the domain, else the middle of the domain (the geometric middle
with `log: true`, the first of a choice). Its values must lie inside the domains, and meet the constraints.

```yaml
baselines:
  - {name: best by hand, lr: 4.5e-4, weight_decay: 8.2e-5}
  - {name: last year, lr: 1e-3}
```
"""

COMPOSING = """\
`extends: base.yaml` starts from another study file, relative to this one, which may extend a third. Mappings merge key
by key; lists are replaced; a domain below `space` is replaced as a whole.

```yaml
extends: base.yaml
space:
  epochs: 60
budget: {hours: 12}
```

`--set KEY=VALUE` changes one value for one call, and may be given several times. KEY is a dotted path, VALUE is YAML.

```bash
tune run search_spaces/quickstart.yaml --set space.lr=1e-3 --set "space.epochs=[4, 8]" --set budget.trials=5
```
"""


def page(trainables: Mapping[str, Mapping[str, ConfigField]]) -> str:
    """Returns the text of docs/search-space.md. trainables: for each name, the fields of its Config."""
    parts = [
        HEAD,
        _fenced(WHOLE),
        "## Keys",
        _table(("key", "meaning"), [(_anchor(name), _first_line(name)) for name in ("extends", *WRITTEN)]),
    ]
    for name in WRITTEN:
        parts += [f"## {name}", *_section(name)]
    parts += ["## extends and --set", COMPOSING]
    for name, fields in trainables.items():
        parts += [f"## The settings of {name}", _settings_table(fields)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _section(name: str) -> list[str]:
    """Returns what the page says about one key of the file."""
    texts = {"constraints": CONSTRAINTS, "baselines": BASELINES}
    if name in texts:
        return [texts[name]]
    field = StudySpec.model_fields[name]
    if name == "space":
        return [str(field.description), NAMES, *_domains()]
    if name in SECTIONS:
        model = SECTIONS[name]
        rows = [(f"`{key}`", field_words(f), _default(f), str(f.description)) for key, f in model.model_fields.items()]
        example = {name: {key: example_of(f) for key, f in model.model_fields.items() if example_of(f) is not None}}
        table = _table(("key", "type", "default", "meaning"), rows)
        return [
            str(field.description),
            table,
            _fenced(_one_line(example) if example[name] else f"{name}: {{uri: null}}"),
        ]
    line = _one_line({name: example_of(field)})
    if name == "data":
        return [str(field.description), _fenced(line)]
    return [f"{field.description} Must be {field_words(field)}: `{line}`."]


def _domains() -> Iterable[str]:
    for title, meaning, example in DOMAINS:
        yield f"**{title}** {meaning}"
        yield _fenced("space:\n" + "".join(f"  {line}\n" for line in example.splitlines()))
    yield "The keys of a domain:"
    yield _table(("key", "meaning"), [(f"`{key}`", meaning) for key, meaning in KEYS.items()])


def _settings_table(fields: Mapping[str, ConfigField]) -> str:
    rows = [
        (f"`{name}`", field.words, "required" if field.required else f"`{shown(field.default)}`", field.help)
        for name, field in fields.items()
    ]
    return _table(("name", "type", "default", "meaning"), rows)


def _anchor(name: str) -> str:
    return f"[`{name}`](#{'extends-and---set' if name == 'extends' else name})"


def _first_line(name: str) -> str:
    """Returns the first sentence about a key, for the table at the top of the page."""
    if name == "extends":
        return EXTENDS
    field = StudySpec.model_fields[name]
    required = " **Required.**" if field.is_required() else ""
    return f"{str(field.description).split('. ')[0].rstrip('.')}.{required}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{field.default if isinstance(field.default, str) else shown(field.default)}`"


def _one_line(example: dict[str, Any]) -> str:
    """Returns an example on one line, as people write it: `budget: {trials: 40}`."""
    ((key, value),) = example.items()
    if not isinstance(value, dict):
        return write_yaml(example).strip()
    inner = ", ".join(write_yaml({k: v}).strip() for k, v in value.items())
    return f"{key}: {{{inner}}}"


def _fenced(text: str) -> str:
    return f"```yaml\n{text.strip()}\n```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def built_in() -> dict[str, dict[str, ConfigField]]:
    """Returns every built-in trainable that has a Config, with the fields of it."""
    fields = {name: config_fields(load_trainable(name).Config) for name in BUILT_IN}
    return {name: each for name, each in fields.items() if each is not None}


def written() -> dict[Path, str]:
    """Returns what the two files must hold."""
    trainables = built_in()
    schema = json.dumps(study_schema(trainables), indent=1, ensure_ascii=False) + "\n"
    return {DOCS / "search-space.md": page(trainables), DOCS / "study.schema.json": schema}


def stale(files: Mapping[Path, str]) -> list[Path]:
    """Returns the files that do not hold the text that they must hold."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    """Writes the two files, or checks them; returns the exit code."""
    files = written()
    if arguments == ["--check"]:
        for path in stale(files):
            print(f"docs/{path.name} is stale: it must say what checks the file; type: {COMMAND}", file=sys.stderr)
        return 1 if stale(files) else 0
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
