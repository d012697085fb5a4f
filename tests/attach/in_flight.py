"""Threads that are always in the middle of a healthy session, for test_in_flight.py.

    in_flight.py DATABASE HOLD

HOLD: how long a session lasts: same (4 ms), random (1/250 s on average), slow (1.2 s). Says "ready"; each line of
standard input leaks one session more, from the line of the healthy ones, and is answered with their number.
"""
import random
import sqlite3
import sys
import threading
import time

HOLDS = {"same": lambda: 0.004, "random": lambda: random.expovariate(250), "slow": lambda: 1.2}
kept = []


def page(hold, keep=False):
    connection = sqlite3.connect(sys.argv[1], check_same_thread=False)  # site: page
    if keep:
        kept.append(connection)
        return
    try:
        connection.execute("select 1").fetchall()
        time.sleep(hold())
    finally:
        connection.close()


def work(hold):
    while True:
        page(hold)


for _ in range(8):
    threading.Thread(target=work, args=(HOLDS[sys.argv[2]],), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    page(None, keep=True)
    print(len(kept), flush=True)
