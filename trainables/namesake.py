"""Finds modules of a user's package that has the name of one of ours, such as `reports.mine`, beside our own."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

_OURS = Path(__file__).absolute().parent.parent  # The folder that holds our packages.


def let_in(module_name: str) -> list[Path]:
    """Makes the modules of users' packages importable below a name that a package of ours has.

    Python finds one package of a name, and that is ours. Folders of that name in the other places where Python looks
    are searched after it. What such a package itself defines is added to ours where ours has nothing of the name.
    Returns those folders.
    """
    top = module_name.partition(".")[0]
    places = namesakes(top)
    for place in places:
        ours = importlib.import_module(top)
        if str(place) not in ours.__path__:
            ours.__path__.append(str(place))
            importlib.invalidate_caches()
            _take_over(ours, place / "__init__.py")
    return places


def hidden(module_name: str) -> Path | None:
    """Returns the user's file that cannot be imported as `module_name`, because a module of ours has that name."""
    top, _, rest = module_name.partition(".")
    if not rest or not any(_files(_OURS / top, rest)):
        return None
    return next((file for place in namesakes(top) for file in _files(place, rest)), None)


def namesakes(top: str) -> list[Path]:
    """Returns the folders on Python's path that are called as a package of ours, and are none."""
    if not (_OURS / top / "__init__.py").is_file():
        return []
    folders = dict.fromkeys(Path(folder or os.getcwd()).absolute() for folder in sys.path)
    return [folder / top for folder in folders if (folder / top).is_dir() and not _is_nightsweep(folder)]


def _is_nightsweep(folder: Path) -> bool:
    """Returns whether our packages lie there: those that run, or those of another copy, such as an installed one."""
    return (folder / "trainables" / "trainable.py").is_file() and (folder / "orchestrator" / "runner.py").is_file()


def _files(package: Path, rest: str) -> list[Path]:
    """Returns the file of the module `rest` (dotted) in a package's folder, if it is there."""
    place = package.joinpath(*rest.split("."))
    return [file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()]


def _take_over(ours: ModuleType, file: Path) -> None:
    """Runs the file of a package of the same name, and adds to ours what it defines."""
    if not file.is_file():
        return
    spec = importlib.util.spec_from_file_location(ours.__name__, file, submodule_search_locations=[str(file.parent)])
    assert spec is not None and spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    for name, value in vars(theirs).items():
        vars(ours).setdefault(name, value)
