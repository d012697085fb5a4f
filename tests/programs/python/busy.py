#!/usr/bin/python3
"""Threads that take turns every microsecond, forks in the middle of it, KeyboardInterrupt while
connections are taken.

    busy.py threads|forks|interrupts DATABASE

Prints how many sessions were opened and how many of them never closed.
"""

import os
import signal
import sys
import threading
import time

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

SELECT = text("select 1")
engine = create_engine(f"sqlite:///{sys.argv[2]}", poolclass=QueuePool, pool_size=20,
                       max_overflow=40, connect_args={"check_same_thread": False})
kept = []


def right():
    with Session(engine) as session:  # site: right
        session.execute(SELECT)


def leak():
    session = Session(engine)  # site: leak
    session.execute(SELECT)
    kept.append(session)


def run_threads(work):
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def threads():
    sys.setswitchinterval(1e-6)

    def work():
        for _ in range(100):
            right()
        leak()
    run_threads(work)
    print("opened=808 leaked=8")


def forks():
    """Children of threads that are in the middle of a session; they open their own. No other thread
    is in SQLite then: its locks would be taken in the child for ever."""
    quiet = threading.Lock()

    def child():
        try:
            signal.alarm(30)
            own = create_engine(f"sqlite:///{sys.argv[2]}", poolclass=QueuePool)
            with Session(own) as session:  # site: child
                session.execute(SELECT)
            os._exit(0)
        except BaseException:
            os._exit(1)

    def work():
        for _ in range(5):
            with quiet, Session(engine) as session:
                session.execute(SELECT)
                child_id = os.fork()
                if child_id == 0:
                    child()
                statuses.append(os.waitpid(child_id, 0)[1])
    statuses = []
    run_threads(work)
    print(f"children={len(statuses)} failed={sum(map(bool, statuses))}")


def interrupts():
    """Python's own handler of SIGINT raises wherever the main thread is.

    A signal is sent only while the main thread is where it is expected, and no other before that
    one has been caught. One that got lost (Python ignores what is raised in a destructor) is sent
    again some rounds later.
    """
    caught = 0
    expected, rounds, stop = [False], [0], [False]

    def shoot():
        sent = 0
        while not stop[0]:
            time.sleep(0.002)
            if expected[0] or rounds[0] > sent + 10:
                expected[0], sent = False, rounds[0]
                os.kill(os.getpid(), signal.SIGINT)
    shooter = threading.Thread(target=shoot)
    shooter.start()
    while caught < 200:
        try:
            expected[0] = True
            while True:
                rounds[0] += 1
                try:
                    right()
                except Exception:  # SQLAlchemy's own state after an interrupt
                    pass
        except KeyboardInterrupt:
            caught += 1
    stop[0] = True
    shooter.join()
    print("caught", caught)


{"threads": threads, "forks": forks, "interrupts": interrupts}[sys.argv[1]]()
