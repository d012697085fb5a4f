"""The same driver, of which connect is a class."""

import notedb

apilevel, paramstyle, threadsafety = notedb.apilevel, notedb.paramstyle, notedb.threadsafety


class connect(notedb.Connection):  # pylint: disable=invalid-name
    def __init__(self, name):
        super().__init__(name)
        self.name = name
