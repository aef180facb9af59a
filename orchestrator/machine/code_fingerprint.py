"""Tells whether the code of a trainable is still what it was: a digest of its module and of all it imports nearby."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from trainables import Trainable
from trainables.trainable import BUILT_IN

_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Code:
    """Describes the code that trials run. files: by path below the folder in which the module was found, a digest.

    version: of nightsweep. A comment, a docstring or a line break changes no digest.
    """

    version: str
    files: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Returns a short text that changes when one of the files does."""
        lines = "".join(f"{path} {digest}\n" for path, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:12]

    def differences(self, before: Code) -> list[str]:
        """Lists the files that were changed, added or removed since, and nightsweep's version where it is another."""
        paths = sorted(self.files.keys() | before.files.keys())
        found = [path for path in paths if self.files.get(path) != before.files.get(path)]
        if before.version != self.version:
            found.append(f"nightsweep {before.version} -> {self.version}")
        return found


def code_of(trainable: Trainable) -> Code:
    """Returns the code of a trainable that has been loaded: its module, and what this imports from below its folder.

    The folder is the one from which the module was found; of an installed package, the package alone. Imports are read
    from the source, those inside functions too, so that the same source always gives the same files.
    """
    name = BUILT_IN.get(trainable.name, trainable.name).partition(":")[0]
    file = getattr(sys.modules.get(name), "__file__", None)
    files = {} if file is None else _digests(name, Path(file).absolute())
    return Code(_own_version(), files)


def _own_version() -> str:
    try:
        return metadata.version("nightsweep")
    except metadata.PackageNotFoundError:  # The source was never installed.
        return "unknown"


def _digests(name: str, file: Path) -> dict[str, str]:
    """Returns path -> digest of a module and of everything that it imports, directly or not."""
    steps = len(name.split(".")) + (file.stem == "__init__")
    root = file.parents[steps - 1]
    top = name.partition(".")[0] if any(part in _INSTALLED for part in root.parts) else None
    found: dict[str, str] = {}
    waiting = [name, *_with_parents(name)]
    seen = set(waiting)
    while waiting:
        module = waiting.pop()
        source = _source(root, module)
        if source is None:
            continue
        digest, imported = _read(source, module)
        found[source.relative_to(root).as_posix()] = digest
        for each in imported:
            for candidate in (each, *_with_parents(each)):
                if candidate not in seen and (top is None or candidate.partition(".")[0] == top):
                    seen.add(candidate)
                    waiting.append(candidate)
    if not found:  # The module is compiled, or lies where its name does not lead.
        found[file.name] = _digest(file.read_bytes())
    return found


def _with_parents(name: str) -> list[str]:
    """Lists the packages around a module: `a.b.c` gives `a.b` and `a`."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def _source(root: Path, module: str) -> Path | None:
    """Returns the file of a module below `root`; None where there is none."""
    place = root.joinpath(*module.split("."))
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if file.is_file():
            return file
    return None


def _read(file: Path, module: str) -> tuple[str, list[str]]:
    """Returns the digest of a module's source, and the names of the modules that it may import."""
    data = file.read_bytes()
    try:
        tree = ast.parse(data)
        package = module if file.stem == "__init__" else module.rpartition(".")[0]
        imported = list(_imports(tree, package))
        return _digest(ast.unparse(_without_docstrings(tree)).encode("utf-8", "surrogatepass")), imported
    except (SyntaxError, ValueError, RecursionError):  # Python cannot read it now: its bytes must do.
        return _digest(data), []


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yields the dotted names of all imports. package: the one that a leading dot stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
