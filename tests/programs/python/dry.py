#!/usr/bin/python3
"""A pool of 3 + 2 that runs dry: five threads hold a connection each, from two lines, the sixth
waits and gives up.

    dry.py DATABASE
"""

import sys
import threading

from sqlalchemy import create_engine, exc
from sqlalchemy.pool import QueuePool

engine = create_engine(f"sqlite:///{sys.argv[1]}", poolclass=QueuePool, pool_size=3, max_overflow=2,
                       pool_timeout=0.5, connect_args={"check_same_thread": False})
release = threading.Event()
held = threading.Semaphore(0)


def hold_report():
    connection = engine.connect()  # site: report
    held.release()
    release.wait()
    connection.close()


def hold_upload():
    connection = engine.connect()  # site: upload
    held.release()
    release.wait()
    connection.close()


def victim():
    engine.connect()  # site: victim


threads = [threading.Thread(target=hold_report, name=f"report-{n}") for n in range(3)]
threads += [threading.Thread(target=hold_upload, name=f"upload-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for _ in threads:
    held.acquire()
try:
    victim()
except exc.TimeoutError as error:
    print(type(error).__name__, str(error).split("(Background", maxsplit=1)[0])
release.set()
for thread in threads:
    thread.join()
with engine.connect():
    pass
victim_again = engine.connect()  # an uncaught exception: its traceback must be the usual one
more = [engine.connect() for _ in range(5)]
