"""A threaded HTTP service on SQLAlchemy and a SQLite file, for test_python_service.py.

    python_service.py DATABASE

Says "ready", then the port. When it does, it holds 20 of the pool's 30 connections: 14 by sessions
in a list, 3 by functions that wait, 3 by connections in a list. A line marked "site:" is looked up
by the test.
"""

import gc
import json
import sqlite3
import sys
import threading
import traceback
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sqlalchemy.pool.base as pool_base
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session as OrmSession, sessionmaker
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite:///" + sys.argv[1], poolclass=QueuePool, pool_size=10,
                       max_overflow=20, pool_timeout=5,
                       connect_args={"check_same_thread": False, "timeout": 60})
Session = sessionmaker(bind=engine)
kept = []  # what leaked
enough = threading.Event()


def get_db():
    return Session()


def look_up(session):
    return session.execute(text("select count(*) from numbers")).scalar()


def wait_with_session():
    session = get_db()
    look_up(session)
    enough.wait()  # site: wait
    session.close()


def report():
    session = get_db()  # site: report
    look_up(session)
    kept.append(session)


def upload():
    session = get_db()
    kept.append(session)
    return look_up(session)


def upload_twice():
    return upload()


def right():
    with get_db() as session:
        return look_up(session)


def rss():
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


WRAPPED = {
    "_finalize_fairy": pool_base, "detach": pool_base._ConnectionFairy,
    "_checkin_failed": pool_base._ConnectionRecord, "checkout": pool_base._ConnectionRecord,
    "_ConnectionRecord__connect": pool_base._ConnectionRecord, "__init__": OrmSession,
    "_call_with_frames_removed": sys.modules["_frozen_importlib"],
}
originals = {name: holder.__dict__[name] for name, holder in WRAPPED.items()}


def state():
    """What an attach may have changed, and a detach has to put back."""
    gc.collect()
    held = [ref for ref in pool_base._strong_ref_connection_records if ref() is not None]
    return {
        "changed": sorted(name for name, holder in WRAPPED.items()
                          if holder.__dict__[name] is not originals[name]),
        "pool": sys.getrefcount(engine.pool),
        "weak": weakref.getweakrefcount(engine.pool),
        "engine": sys.getrefcount(engine),
        "fairies": sorted(sys.getrefcount(ref()) for ref in held),
        "sessions": sorted(sys.getrefcount(session) for session in list(kept)),
        "code": sys.getrefcount(look_up.__code__),
        "collects": gc.isenabled(),
        "trace": [type(entry).__name__ for entry in traceback.extract_stack()[:1]],
        "closes": sqlite3.connect(":memory:").close(),
    }


def dies():
    """Whether a pool that is new, used and dropped goes away."""
    other = create_engine("sqlite://", poolclass=QueuePool)
    other.connect().close()
    weak = weakref.ref(other.pool)
    other.dispose()
    del other
    gc.collect()
    return weak() is None


def end():
    enough.set()
    for thread in holders:
        thread.join()


def collect():
    kept.clear()
    gc.collect()


ANSWERS = {"/right": right, "/report": report, "/upload": upload_twice, "/rss": rss,
           "/state": state, "/dies": dies, "/end": end, "/collect": collect,
           "/out": lambda: engine.pool.checkedout()}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ANSWERS[self.path]()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    with engine.begin() as connection:
        connection.execute(text("create table if not exists numbers (n integer)"))
    for _ in range(14):
        report()
    holders = [threading.Thread(target=wait_with_session, name=f"holder-{i}", daemon=True)
               for i in range(3)]
    for holder in holders:
        holder.start()
    kept.extend(engine.connect() for _ in range(3))
    while engine.pool.checkedout() < 20:
        pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.request_queue_size = 64
    print("ready", flush=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()
