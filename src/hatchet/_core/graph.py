"""The shape of a workflow: which tasks follow which."""

from collections.abc import Mapping, Sequence


def find_cycle(parents: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Names along a cycle, first one repeated at the end; None if there is none.

    Names which have no entry of their own are taken for tasks without parents.

    >>> find_cycle({"a": [], "b": ["a"]})
    >>> find_cycle({"a": ["c"], "b": ["a"], "c": ["b"]})
    ['a', 'c', 'b', 'a']
    """
    done: set[str] = set()
    for start in parents:
        path: list[str] = []
        stack = [(start, iter(parents[start]))] if start not in done else []
        path.extend(name for name, _ in stack)
        while stack:
            name, rest = stack[-1]
            parent = next((each for each in rest if each not in done), None)
            if parent is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif parent in path:
                return [*path[path.index(parent) :], parent]
            else:
                stack.append((parent, iter(parents.get(parent, ()))))
                path.append(parent)
    return None


def leaves(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Names that are nobody's parent, in their order.

    >>> leaves({"a": [], "b": ["a"], "c": ["a"]})
    ['b', 'c']
    """
    inner = {parent for each in parents.values() for parent in each}
    return [name for name in parents if name not in inner]
