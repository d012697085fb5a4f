#!/usr/bin/python3
"""What a program can see of its interpreter: it must see the same when it is traced.

    surroundings.py profile|recursion|objects|names|exit DATABASE
"""

import collections
import copy
import gc
import inspect
import pickle
import sys
import types
import weakref

from sqlalchemy import create_engine, pool, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

SELECT = text("select 1")
engine = create_engine(f"sqlite:///{sys.argv[2]}", poolclass=QueuePool)


def session():
    with Session(engine) as one:
        one.execute(SELECT)


def checkout():
    engine.raw_connection().close()


def dropped():
    one = Session(engine)
    one.execute(SELECT)


def work():
    for _ in range(5):
        session()
        checkout()
        dropped()
        gc.collect()


def profile():
    """Calls, lines and returns, as debuggers, profilers and coverage see them."""
    seen = collections.Counter()

    def profiler(frame, event, _):
        seen[event, frame.f_code.co_name] += 1

    def tracer(frame, event, _):
        seen[event, frame.f_code.co_name, frame.f_lineno] += 1
        return tracer
    gc.disable()  # but when it is called: when it would run by itself depends on the weather
    work()
    sys.setprofile(profiler)
    work()
    sys.setprofile(None)
    sys.settrace(tracer)
    work()
    sys.settrace(None)
    for key in sorted(seen, key=str):
        print(key, seen[key])


def recursion():
    """RecursionError comes at the same depth; a deep stack is no trouble."""
    def down(function, depth):
        reached[0] = depth
        function()
        down(function, depth + 1)

    def deep(depth):
        return deep(depth - 1) if depth else [engine.raw_connection() for _ in range(3)]
    session()
    for function in (checkout, session):
        reached = [0]
        try:
            down(function, 0)
        except RecursionError as error:
            print(reached, error)
    sys.setrecursionlimit(20000)
    print(len(deep(900)), len(deep(5000)))


def objects():
    """The collector's lists do not grow."""
    def count():
        gc.collect()
        return len(gc.get_objects())
    for _ in range(10):
        work()
    before = count()
    for _ in range(10):
        work()
    print("grown by", count() - before)


def names():
    """Functions that are wrapped pass for what they were."""
    for function in (Session.__init__, pool.base._finalize_fairy, pool.base._ConnectionFairy.detach):
        print(function.__qualname__, function.__module__, function.__doc__ and "has a text",
              isinstance(function, types.FunctionType), callable(function),
              inspect.signature(function), inspect.getsourcelines(function)[1],
              copy.deepcopy([function]) == [function],
              pickle.loads(pickle.dumps(function)) is function)
    print(isinstance(vars(pool.base._ConnectionRecord)["checkout"], classmethod))

    class Derived(Session):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
    with Derived(bind=engine) as one:
        print(one.execute(SELECT).scalar())


def exit_():
    """The order of what happens at the end."""
    for number in range(3):
        one = Session(engine)
        one.execute(SELECT)
        weakref.finalize(one, print, "session", number)
        kept.append(one)
        weakref.finalize(engine.raw_connection(), print, "checkout", number)
    cycle = [Session(engine)]
    cycle.append(cycle)
    weakref.finalize(cycle[0], print, "cycle")
    print("end")


kept = []
{"profile": profile, "recursion": recursion, "objects": objects, "names": names,
 "exit": exit_}[sys.argv[1]]()
