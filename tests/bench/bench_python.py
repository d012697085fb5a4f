"""What is measured of Python: loops 20 frames deep that print the CPU time of one turn, in ns.

    bench_python.py sqlite|checkout|session TURNS
"""
import sqlite3
import sys
import time

FRAMES = 20


def turn_sqlite():
    sqlite3.connect(":memory:").close()


def make_checkout(_turns):
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite://", poolclass=QueuePool,
                           connect_args={"check_same_thread": False})

    def turn():
        engine.raw_connection().close()

    return turn


def make_session(_turns):
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import sessionmaker
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite://", poolclass=QueuePool,
                           connect_args={"check_same_thread": False})
    factory = sessionmaker(engine)
    statement = text("select 1")

    def turn():
        with factory() as session:
            session.execute(statement).all()

    return turn


def deep(depth, turn, turns):
    if depth > 0:
        return deep(depth - 1, turn, turns)
    for _ in range(turns // 20 + 1):  # warm
        turn()
    before = time.process_time()
    for _ in range(turns):
        turn()
    return (time.process_time() - before) * 1e9 / turns


def main():
    case, turns = sys.argv[1], int(sys.argv[2])
    turn = {"sqlite": lambda _: turn_sqlite, "checkout": make_checkout,
            "session": make_session}[case](turns)
    print(deep(FRAMES - 2, turn, turns))


if __name__ == "__main__":
    main()
