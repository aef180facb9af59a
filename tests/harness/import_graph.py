"""Reads the graph of what imports what, between modules and between rooms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.harness.source_tree import imports_of, module_name, source_files

Graph = Mapping[str, set[str]]  # what imports -> all that it imports


def import_graph(root: Path) -> Graph:
    """Returns for each module what it imports: modules of ours and libraries. `from a import b` may count as both."""
    modules = {module_name(root, file): file for file in source_files(root)}
    graph = {name: set[str]() for name in modules}
    for module, file in modules.items():
        for _, name in imports_of(root, file):
            ours = {name, name.rpartition(".")[0]} & modules.keys()
            graph[module] |= (ours or {name.split(".")[0]}) - {module}
    return graph


def room_of(module: str) -> str:
    """Returns the folder below its package that a module lies in; a file that lies beside the folders is its own."""
    return ".".join(module.split(".")[:2])


def between_rooms(graph: Graph) -> Graph:
    """Returns the same graph with rooms in the place of their modules."""
    rooms = defaultdict[str, set[str]](set)
    for module, imported in graph.items():
        rooms[room_of(module)] |= {room_of(name) for name in imported} - {room_of(module)}
    return rooms


def circle(graph: Graph) -> list[str]:
    """Returns the names along one circle of imports; an empty list where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def path_to(graph: Graph, start: str, end: str) -> list[str]:
    """Returns a shortest chain of imports from a room or file to another; an empty list where there is none."""
    start, end = (name.removesuffix(".py").replace("/", ".") for name in (start, end))

    def lies_in(module: str, room: str) -> bool:
        return module == room or module.startswith(f"{room}.")

    paths = [[module] for module in graph if lies_in(module, start)]
    seen = {module for [module] in paths}
    for path in paths:  # it grows while it is read: breadth first
        for name in sorted(graph.get(path[-1], set()) - seen):
            if lies_in(name, end):
                return [*path, name]
            seen.add(name)
            paths.append([*path, name])
    return []
