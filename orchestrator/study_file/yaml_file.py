"""Reads and writes YAML 1.2, restricted to one mapping of plain data in which no key stands twice.

PyYAML follows version 1.1, where `1e-5` is text, `22:00` is 1320, `no` is false and `010` is 8. Only its scanner and
composer are used here; what a scalar means is decided by `plain_scalar`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import InputMistake
from orchestrator.mistake import Mistake, Mistakes, quoted
from orchestrator.plain_data import key_text, plain_scalar

_MAX_BYTES = 200_000  # PyYAML reads so many bytes in some seconds.
_MAX_DEPTH = 100  # Of nested brackets: PyYAML's time grows with the square of their depth.
_MAX_NODES = 50_000  # Counted with every alias written out: a few lines of aliases can stand for billions.
_TAB_INDENT = re.compile(r"^ *\t[ \t]*+[^\s#]", re.MULTILINE)

_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(_[0-9]{3})+(\.[0-9]*)?([eE][-+]?[0-9]+)?")  # 1_000: text in YAML 1.2.


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # Every plain scalar arrives as text.


class _TooMany(Exception):
    """Says that a document stands for more than _MAX_NODES values."""


def read_yaml(path: Path) -> dict[Any, Any]:
    """Returns the mapping in a YAML file. Keys are scalars; values are None, bool, int, float, str, list or dict.

    Raises InputMistake with every mistake that can be told apart, each `FILE: line N: ...`.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputMistake(f"{path}: no such file; check the path, which is relative to {Path.cwd()}") from None
    except IsADirectoryError:
        raise InputMistake(f"{path}: must be a YAML file, but is a directory") from None
    except (OSError, ValueError) as error:
        raise InputMistake(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _MAX_BYTES:
        raise InputMistake(f"{path}: must be a study file of at most {_MAX_BYTES // 1000} kB, but is longer")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"line {line}: must be UTF-8 text, but got byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise InputMistake(f"{path}: {message}") from None
    mistakes = Mistakes()
    value = parse_yaml(text, mistakes)
    if not mistakes and value is None:
        mistakes.add("", "must be a mapping, but the file is empty; `tune run --help` shows an example")
    elif not mistakes and not isinstance(value, dict):
        mistakes.add("", f"must be a mapping of `key: value` lines at the top, but got {_kind(value)}")
    if mistakes:
        raise InputMistake(*(f"{path}: {mistake}" for mistake in mistakes))
    return value


def parse_yaml(text: str, mistakes: Mistakes) -> Any:
    """Returns the value of one YAML document, None for an empty one; adds mistakes at `line N`."""
    for match in _TAB_INDENT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        mistakes.add(f"line {line}", "must be indented by spaces, but got a tab")
    if mistakes:
        return None
    try:
        mistakes.extend(_forbidden(text))
        documents = list(yaml.compose_all(text, _Loader)) if not mistakes else []
    except yaml.YAMLError as error:
        mistakes.extend([_syntax_mistake(error)])
        return None
    except RecursionError:
        mistakes.add("", "is nested too deeply; write it flatter")
        return None
    if len(documents) > 1:
        mistakes.add(_line(documents[1]), "must be one document, but another starts here; keep one document to a file")
    if mistakes or not documents:
        return None
    try:
        return _Builder(mistakes).build(documents[0], ())
    except RecursionError:
        mistakes.add("", "is nested too deeply; write it flatter")
    except _TooMany:
        mistakes.add("", f"must hold at most {_MAX_NODES} values, but its aliases stand for more; write fewer of them")
    return None


def _forbidden(text: str) -> list[Mistake]:
    """Lists tags and directives, which choose how a file is read. Raises RecursionError for deeply nested brackets."""
    found, depth = [], 0
    for token in yaml.scan(text, _Loader):
        depth += isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken)
        depth -= isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken)
        if depth > _MAX_DEPTH:
            raise RecursionError
        if isinstance(token, yaml.TagToken):
            tag = "".join(part or "" for part in token.value)
            found.append(Mistake(_line(token), f"must be plain data, but got the tag {quoted(tag)}; remove it"))
        elif isinstance(token, yaml.DirectiveToken):
            found.append(
                Mistake(
                    _line(token), f"must be plain data, but got the directive {quoted('%' + token.name)}; remove it"
                )
            )
    return found


class _Builder:
    """Turns nodes into values; counts those that aliases stand for, and reports a node that contains itself."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._count = 0

    def build(self, node: yaml.Node, above: tuple[int, ...]) -> Any:
        self._count += 1
        if self._count > _MAX_NODES:
            raise _TooMany
        if id(node) in above:
            self._mistakes.add(_line(node), "must not contain itself, but an alias inside it points back to it")
            return None
        above = (*above, id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, above) for item in node.value]
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, above)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        # An escape can write half a character, which no file can hold.
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            self._mistakes.add(
                _line(node), "must be text that UTF-8 can hold, but got half a character (\\ud800 to \\udfff)"
            )
            return None
        if node.style is not None:  # It is quoted, or a block of text.
            return node.value
        if _GROUPED.fullmatch(node.value):
            digits = node.value.replace("_", "")
            must = f"a number must be written without `_`, but got {quoted(node.value)}"
            self._mistakes.add(_line(node), f"{must}; write {digits}, or '{node.value}' for the text")
            return None
        try:
            return plain_scalar(node.value)
        except ValueError:  # It has more digits than Python reads.
            self._mistakes.add(_line(node), "must be a number of at most 4000 digits")
            return None

    def _mapping(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        lines: dict[str, str] = {}  # For each key as text, its line: 1 and "1" are the same key, as in JSON.
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistakes.add(_line(key_node), "a key must be a single word or number, but got a list or mapping")
                continue
            key = self._scalar(key_node)
            if key == "<<" and key_node.style is None:
                self._mistakes.add(
                    _line(key_node), "merge keys `<<` are not supported; use `extends`, or write the keys out"
                )
                continue
            if result and node.flow_style and _is_cut_number(key_node, value_node):
                before, value = list(result.items())[-1]
                read = f"{quoted(f'{before}: {value},{key_node.value}')} is two entries"
                self._mistakes.add(_line(key_node), f"{read}; write the decimal point as `.`, and nothing at thousands")
                continue
            if key_text(key) in lines:
                first = lines[key_text(key)]
                self._mistakes.add(
                    _line(key_node),
                    f"each key must stand once, but {quoted(key_text(key))} stands on {first} too; remove one",
                )
                continue
            lines[key_text(key)] = _line(key_node)
            result[key] = self.build(value_node, above)
        return result


def _is_cut_number(key: yaml.ScalarNode, value: yaml.Node) -> bool:
    """Returns whether the key is what a decimal comma leaves over: `1` of {low: 0,1}, a number that has no value."""
    empty = isinstance(value, yaml.ScalarNode) and value.style is None and value.value == ""
    return empty and key.style is None and key.value.isdecimal()


def _syntax_mistake(error: yaml.YAMLError) -> Mistake:
    """Returns PyYAML's error as a mistake with its line and column."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # The reader, which gives no mark, found a character that YAML forbids.
        code = getattr(error, "character", None)
        what = f"got the character {code:#04x}" if isinstance(code, int) else str(error).splitlines()[0]
        return Mistake("", f"must hold printable text only, but {what}; remove it")
    what = getattr(error, "problem", None) or "cannot be understood"
    context = getattr(error, "context", None)
    detail = f"{what} ({context})" if context else what
    return Mistake(
        f"line {mark.line + 1}, column {mark.column + 1}",
        f"must be YAML, but {detail}; check quotes, colons and indents nearby",
    )


def _line(node: yaml.Node | yaml.Token) -> str:
    return f"line {node.start_mark.line + 1}"


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else "text" if isinstance(value, str) else "a single value"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(plain_scalar(text) if len(text) < 4000 else text, str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    if not math.isfinite(value):
        return yaml.SafeDumper.represent_float(dumper, value)
    digits, e, exponent = repr(value).partition("e")
    # The dot keeps readers of YAML 1.1 from taking 1e-05 for text.
    text = f"{digits if '.' in digits else digits + '.0'}e{int(exponent):+d}" if e else digits
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)


def write_yaml(value: Mapping[Any, Any]) -> str:
    """Returns the mapping as YAML text, keys in their order. Readers of YAML 1.1 and 1.2 read it back as it was.

    Lists and mappings of scalars stand on one line below the top.
    """
    parts = [
        yaml.dump(
            {key: item}, Dumper=_Dumper, default_flow_style=_flow(item), sort_keys=False, allow_unicode=True, width=120
        )
        for key, item in value.items()
    ]
    return "".join(parts)


def _flow(item: Any) -> bool | None:
    """Returns False (`study: hrnet`, not `{study: hrnet}`) for a scalar at the top, else None: PyYAML chooses."""
    return None if isinstance(item, (list, dict)) and item else False
