"""Documents by id, found also by what an index says of them: a workspace with ten thousand open chats must not look
through all of them for each message."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Hashable, Iterable
from itertools import count
from typing import TypeVar

from bot.sandbox.rocketchat.wire import Doc

Id = TypeVar("Id", bound=Hashable)


class Table(UserDict[Id, Doc]):
    """`index`: what a document is found by. Whoever changes one of these in place stores the document once more."""

    def __init__(self, index: Callable[[Doc], Iterable[Hashable]]) -> None:
        super().__init__()
        self._index = index
        self._keys: dict[Id, tuple[Hashable, ...]] = {}
        self._found: dict[Hashable, set[Id]] = {}
        self._places: dict[Id, int] = {}
        self._next = count()

    def __setitem__(self, id: Id, document: Doc) -> None:
        keys = tuple(self._index(document))
        if keys != self._keys.get(id):
            self._forget(id)
            self._keys[id] = keys
            for key in keys:
                self._found.setdefault(key, set()).add(id)
        if id not in self.data:
            self._places[id] = next(self._next)
        super().__setitem__(id, document)

    def __delitem__(self, id: Id) -> None:
        super().__delitem__(id)
        self._forget(id)
        del self._places[id]

    def _forget(self, id: Id) -> None:
        for key in self._keys.pop(id, ()):
            self._found[key].discard(id)
            if not self._found[key]:
                del self._found[key]

    def having(self, *key: Hashable) -> list[Doc]:
        """In the order in which they came into the table."""
        return [self.data[id] for id in sorted(self._found.get(key, ()), key=self._places.__getitem__)]

    def first(self, *key: Hashable) -> Doc | None:
        return next(iter(self.having(*key)), None)

    def count(self, *key: Hashable) -> int:
        return len(self._found.get(key, ()))
