#!/usr/bin/python3
"""sqlite3 connections and exceptions: those that are left behind by one, and those that are not.

Each place opens eight; in every second call something is raised.
"""

import gc
import sqlite3
from contextlib import closing


class Refused(Exception):
    pass


def use(connection, number):
    connection.execute("select 1")
    if number % 2:
        raise Refused(number)


def here(number):
    connection = sqlite3.connect(":memory:")  # site: here
    if number % 2:
        raise Refused(number)
    connection.close()


def below(number):
    connection = sqlite3.connect(":memory:")  # site: below
    use(connection, number)
    connection.close()


def with_connection(number):
    with sqlite3.connect(":memory:") as connection:  # site: with
        use(connection, number)


def generator(number):
    connection = sqlite3.connect(":memory:")  # site: generator
    yield 1
    use(connection, number)
    connection.close()


def in_generator(number):
    list(generator(number))


class Own(sqlite3.Connection):
    pass


def captured(number):
    connection = sqlite3.connect(":memory:", factory=Own)  # site: captured

    def inner():
        use(connection, number)
    inner()
    connection.close()


def no_cleanup(_):
    connection = sqlite3.connect(":memory:")  # site: no cleanup
    connection.execute("select 1")


def handled(number):
    connection = sqlite3.connect(":memory:")  # site: handled
    try:
        use(connection, number)
    except Refused:
        pass
    connection.close()


def try_finally(number):
    connection = sqlite3.connect(":memory:")  # site: finally
    try:
        use(connection, number)
    finally:
        connection.close()


def with_closing(number):
    with closing(sqlite3.connect(":memory:")) as connection:  # site: closing
        use(connection, number)


def call_all():
    for number in range(8):
        for function in (here, below, with_connection, in_generator, captured, no_cleanup, handled,
                         try_finally, with_closing):
            try:
                function(number)
            except Refused:
                pass


call_all()
gc.collect()
print("done")
