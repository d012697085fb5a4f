"""Three ways to forget a session of a pool of five, until the pool is dry. What leaks where is
printed as JSON; nothing in here knows of unclosed.

    leaky.py DATABASE
"""
import json
import sys
import threading
import time

from sqlalchemy import create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

engine = create_engine(f"sqlite:///{sys.argv[1]}", poolclass=QueuePool, pool_size=3, max_overflow=2,
                       pool_timeout=0.7, connect_args={"check_same_thread": False})
kept = []


def settings():
    connection = engine.connect()  # site: settings
    kept.append(connection)


def export(early):
    connection = engine.connect()  # site: export
    if early:
        kept.append(connection)
        return
    connection.close()


def right():
    with engine.connect() as connection:  # site: right
        connection.execute(text("select 1"))


def waiter():
    try:
        engine.connect()  # site: waiter
    except PoolTimeout:
        pass


def main():
    for _ in range(20):
        right()
    for turn in range(3):
        settings()
        time.sleep(0.15)
        export(early=turn > 0)
    time.sleep(0.15)
    waiting = [threading.Thread(target=waiter, name=f"waits-{i}") for i in range(2)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    lines = {}
    with open(__file__, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if "# site: " in line:
                lines[line.split("# site: ")[1].strip()] = number
    print(json.dumps({"lines": lines, "leaked": {"settings": 3, "export": 2}, "timeouts": 2}))


if __name__ == "__main__":
    main()
