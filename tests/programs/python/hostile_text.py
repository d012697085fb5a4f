"""Leaks sessions and gives everything that has a name one that would drive a terminal.

hostile_text.py SECONDS: waits before it ends by os._exit, so that all is out at the end.
"""

import ctypes
import os
import sqlite3
import sys
import threading
import time

# Title and colour sequences, carriage return, C1 as a byte and as a character, bidirectional
# override, delete; and a line that looks like one of unclosed's own.
EVIL = "\x1b]0;t\x07\x1b[31m\r\nFORGED: line\t\u009b31m\u202e\u2028\x7f"
EVIL_BYTES = EVIL.encode() + b"\x9b31m\xff\xc0\x80\xed\xa0\x80"

kept = []
source = "def leak(name):\n    import sqlite3\n    c = sqlite3.connect(name)\n" \
         "    kept.append(c)\n    kept.append(c.execute(SQL))\n"
space = {"kept": kept, "SQL": f"select '{EVIL}' as x union select 1 /* {EVIL} */"}
exec(compile(source, os.path.join(os.getcwd(), f"so{EVIL}urce.py"), "exec"), space)
leak = space["leak"]
leak.__code__ = leak.__code__.replace(co_name=f"fu{EVIL}nction")
if hasattr(leak.__code__, "co_qualname"):
    leak.__code__ = leak.__code__.replace(co_qualname=f"Cl{EVIL}ass.function")
leak(f"d{EVIL}b.sqlite")

libc = ctypes.CDLL(None)
PR_SET_NAME = 15


def in_thread():
    libc.prctl(PR_SET_NAME, b"t\x1b[31m\n\x07\x9b\xff", 0, 0, 0)
    leak(":memory:")


thread = threading.Thread(target=in_thread, name=f"thread{EVIL}")
thread.start()
thread.join()

library = ctypes.CDLL("libsqlite3.so.0")
handle, statement = ctypes.c_void_p(), ctypes.c_void_p()
library.sqlite3_open(b"native" + EVIL_BYTES + b".sqlite", ctypes.byref(handle))
library.sqlite3_prepare_v2(handle, b"select '" + EVIL_BYTES + b"' /* \x07 */", -1,
                           ctypes.byref(statement), None)
library.sqlite3_close(handle)  # refused

# A misuse: given back twice.
twice = ctypes.c_void_p()
library.sqlite3_open(b"twice" + EVIL_BYTES + b".sqlite", ctypes.byref(twice))
library.sqlite3_close(twice)
os.environ["PYTEST_CURRENT_TEST"] = f"test{EVIL}::x (call)"
leak(":memory:")
print("ready", flush=True)
time.sleep(float(sys.argv[1]))
os._exit(0)
