"""Pieces with SQLAlchemy, as those of cells_python.py."""
IMPORTS = """\
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker, scoped_session
from sqlalchemy.pool import QueuePool
ENGINE = create_engine("sqlite:///" + DB, poolclass=QueuePool, pool_size=3, max_overflow=500,
                       connect_args={"check_same_thread": False})
Maker = sessionmaker(ENGINE)
"""
PIECES = {
    "with_session": ("""
def $(i):
    with Session(ENGINE) as s:  #@ a
        s.execute(text("select 1")).all()
""", {"a": (1, 0)}),
    "session": ("""
def $(i):
    s = Session(ENGINE)  #@ a
    s.execute(text("select 1")).all()
    if i % M == R:
        return
    s.close()
""", {"a": (1, 1)}),
    "get_db": ("""
def $_db():
    return Maker()
def $_good(i):
    s = $_db()  #@ good
    try:
        s.execute(text("select 1")).all()
    finally:
        s.close()
def $(i):
    $_good(i)
    s = $_db()  #@ bad
    s.execute(text("select 1")).all()
    if i % M != R:
        s.close()
""", {"good": (1, 0), "bad": (1, 1)}),
    "depends": ("""
def $_db():
    s = Maker()
    try:
        yield s
    finally:
        s.close()
def $_handler(s, i):
    s.execute(text("select 1")).all()
def $(i):
    g = $_db()
    $_handler(next(g), i)
    g.close()
""", {None: (1, 0)}),
    "connect": ("""
def $(i):
    c = ENGINE.connect()  #@ a
    c.execute(text("select 1")).all()
    if i % M == R:
        KEEP.append(c)
        return
    c.close()
""", {"a": (1, 1)}),
    "begin": ("""
def $(i):
    try:
        with ENGINE.begin() as c:  #@ a
            c.execute(text("select 1"))
            if i % M == R:
                raise ValueError(i)
    except ValueError:
        pass
""", {"a": (1, 0)}),
    "raw": ("""
def $(i):
    c = ENGINE.raw_connection()  #@ a
    c.cursor().execute("select 1")
    if i % M != R:
        c.close()
""", {"a": (1, 1)}),
    "session_raises": ("""
def $_unit(i):
    s = Maker()  #@ a
    s.execute(text("select 1")).all()
    if i % M == R:
        raise RuntimeError(i)
    s.commit()
    s.close()
def $(i):
    try:
        $_unit(i)
    except RuntimeError:
        pass
""", {"a": (1, 1)}),
    "unit_of_work": ("""
class $_Unit:
    def __enter__(self):
        self.s = Maker()
        return self.s
    def __exit__(self, *why):
        self.s.close()
def $(i):
    with $_Unit() as s:
        s.execute(text("select 1")).all()
    u = Session(bind=ENGINE)  #@ bad
    u.execute(text("select 1")).all()
    if i % M != R:
        u.close()
""", {None: (1, 0), "bad": (1, 1)}),
    "decorated_session": ("""
def $_session(function):
    def wrapper(*args):
        s = Maker()  #@ a
        out = function(s, *args)
        s.close()
        return out
    return wrapper
@$_session
def $_do(s, i):
    s.execute(text("select 1")).all()
    if i % M == R:
        raise IndexError(i)
def $(i):
    try:
        $_do(i)
    except IndexError:
        pass
""", {"a": (1, 1)}),
}
