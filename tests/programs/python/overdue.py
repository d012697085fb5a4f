"""Holds connections for known times, with a threshold of half a second in mind.

Prints when each went out, in milliseconds of the wall clock: leak (never closed), late (closed
after 1.1 s), lost (left to the collector, which runs after 1.1 s).
"""
import gc
import sqlite3
import sys
import time

kept = []


def say(what):
    print(f"{what}={int(time.time() * 1000)}", flush=True)


def leak():
    kept.append(sqlite3.connect(":memory:"))  # site: leak
    say("leak")


def late():
    connection = sqlite3.connect(":memory:")  # site: late
    say("late")
    time.sleep(1.1)
    connection.close()
    say("back")


def lost():
    cycle = [sqlite3.connect(":memory:")]  # site: lost
    cycle.append(cycle)
    say("lost")


def moment():
    connection = sqlite3.connect(":memory:")  # site: moment
    time.sleep(0.01)
    connection.close()


def main():
    gc.disable()
    for _ in range(3):
        leak()
        moment()
        time.sleep(0.15)
    late()
    lost()
    for _ in range(100):
        moment()
    gc.collect()
    say("collected")
    moment()
    sys.exit(3)


main()
