"""Leaks a connection now and then, while another thread opens and closes."""

import sqlite3
import threading
import time

kept = []


def leak():
    kept.append(sqlite3.connect(":memory:"))


def good():
    while True:
        connection = sqlite3.connect(":memory:")
        connection.execute("select 1")
        connection.close()
        time.sleep(0.01)


threading.Thread(target=good, daemon=True).start()
print("ready", flush=True)
while True:
    leak()
    time.sleep(0.3)
