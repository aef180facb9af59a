"""Lists the Python files of the packages, and what each of them imports.

The source is parsed, so imports inside functions, under TYPE_CHECKING and through importlib count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# A package may import itself and those before it.
ORDER = ("trainables", "orchestrator", "reports", "tune")


def source_files(root: Path) -> Iterator[Path]:
    """Yields every Python file of the packages."""
    for name in ORDER:
        yield from sorted((root / name).rglob("*.py"))


def module_name(root: Path, file: Path) -> str:
    """Returns the dotted name of a file; of an `__init__.py`, that of its package."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(root: Path, file: Path) -> Iterator[tuple[int, str]]:
    """Yields (line, absolute dotted name) of every import in the file, wherever it stands."""
    package = module_name(root, file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join(base + ([node.module] if node.module else []))
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}" if stem else alias.name
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "find_spec") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value
