#!/usr/bin/python3
"""A service that opens sessions as it is told on standard input, a command in each line:

    settings N | orders N     leaks N sessions at that place
    close N                   closes the N oldest of these
    use N                     opens and closes N sessions
    wait                      has a thread wait for a session that it does not get at once
    exit | die                ends, in order or not

Each is answered by a line. The places are marked "site: NAME".
"""

import os
import sys
import threading

from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import QueuePool

Session = sessionmaker()
held = []


def get_db():
    return Session()


def take(session):
    session.execute(text("select 1"))
    held.append(session)


class SettingsTab:
    def render(self):
        session = get_db()  # site: settings
        take(session)


def 注文一覧():
    session = get_db()  # site: orders
    take(session)


def use():
    with get_db() as session:  # site: use
        session.execute(text("select 1"))


def wait():
    threading.Thread(target=use, name="waiter", daemon=True).start()


def main():
    engine = create_engine("sqlite:///commanded.db", poolclass=QueuePool, pool_size=4,
                           max_overflow=6, pool_timeout=60,
                           connect_args={"check_same_thread": False})
    Session.configure(bind=engine)
    use()
    commands = {"settings": SettingsTab().render, "orders": 注文一覧, "use": use, "wait": wait,
                "close": lambda: held.pop(0).close(), "exit": sys.exit, "die": os.abort}
    print("ready", flush=True)
    for line in sys.stdin:
        name, *count = line.split()
        for _ in range(int(count[0]) if count else 1):
            commands[name]()
        print("done", flush=True)


if __name__ == "__main__":
    main()
