#!/usr/bin/python3
"""multiprocessing: a leak in the parent and in each child.

    children.py fork|spawn|forkserver DATABASE
"""

import multiprocessing
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

kept = []


def work(database, number):
    engine = create_engine(f"sqlite:///{database}", poolclass=NullPool)
    with Session(engine) as session:  # site: right
        session.execute(text("select 1"))
    for _ in range(number):
        session = Session(engine)  # site: leak
        session.execute(text("select 1"))
        kept.append(session)


if __name__ == "__main__":
    work(sys.argv[2], 1)
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(sys.argv[2], 2)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print("done", [child.exitcode for child in children])
