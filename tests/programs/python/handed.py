"""Sessions that functions hand on to their callers, in the ways of Python.

Usage: handed.py FILE; prints nothing. Marked lines open as often as their names say: opened_leaked.
"""
import contextlib
import functools
import sqlite3
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker, Session
from sqlalchemy.pool import NullPool

# Which pool a file has by default depends on the version.
engine = create_engine("sqlite:///" + sys.argv[1], poolclass=NullPool)
SessionLocal = sessionmaker(bind=engine)
kept = []


def one_line(): return Session(engine)


by_lambda = lambda: SessionLocal()  # noqa: E731


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper


@logged
def decorated():
    session = SessionLocal()
    session.info["made"] = True
    return session


def dependency():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()


@contextlib.contextmanager
def managed():
    session = one_line()
    yield session
    session.close()


class Factory:
    @classmethod
    def make(cls):
        return decorated()


class Repository:
    def open(self):
        self.db = sqlite3.connect(sys.argv[1])

    def close(self):
        self.db.close()


def use(session):
    session.execute(text("select 1"))
    return session


def one_line_good():
    use(one_line()).close()  # site: 3_0 one line


def one_line_bad():
    kept.append(use(one_line()))  # site: 3_3 one line


def lambda_bad():
    session = by_lambda()  # site: 3_3 lambda
    kept.append(use(session))


def decorated_bad():
    session = decorated()  # site: 3_3 decorated
    kept.append(use(session))


def class_bad():
    session = Factory.make()  # site: 3_3 class
    kept.append(use(session))


def dependency_good():
    for session in dependency():  # site: 3_0 dependency
        use(session)


def dependency_bad():
    session = next(dependency())  # site: 3_3 dependency
    kept.append(use(session))


def managed_good():
    with managed() as session:  # site: 3_0 managed
        use(session)


def repository(number):
    mine = Repository()
    if number % 2:
        mine.open()  # site: 1_1 repository
        kept.append(mine)
    else:
        mine.open()  # site: 2_0 repository
        mine.close()


def itself(number):
    db = sqlite3.connect(sys.argv[1])  # site: 3_1 itself
    try:
        db.execute("select * from nothing" if number == 1 else "select 1")
    except sqlite3.OperationalError:
        kept.append(db)
        return
    db.close()


registry = scoped_session(SessionLocal)


def generated():
    registry.execute(text("select 1"))  # site: 1_1 generated
    kept.append(registry())
    registry.registry.clear()


made = {}
exec("def made_function(work):\n    return work()\n", made)  # pylint: disable=exec-used


def through_string():
    made["made_function"](in_file)


def in_file():
    made["made_function"](lambda: kept.append(use(SessionLocal())))  # site: 1_1 lambda in place


for i in range(3):
    for work in (one_line_good, one_line_bad, lambda_bad, decorated_bad, class_bad,
                 dependency_good, dependency_bad, managed_good):
        work()
    repository(i)
    itself(i)
generated()
through_string()
