#!/usr/bin/python3
"""Three connections of a driver, or checkouts of a pool, that end in the way that is named.

    drivers.py DRIVER CELL [NAME=VALUE]...     postgres=PORT mysql=PORT redis=PORT of servers here

Prints, of a driver, what the program itself counts: open=N, its sockets and database files that are
still open when the cell is through. Knows nothing of unclosed.
"""

import atexit
import gc
import importlib
import os
import signal
import sys
import threading
import time

COUNT = 3
SERVERS = dict(word.split("=", 1) for word in sys.argv[3:])
HERE = "127.0.0.1"
keep, pools = [], []


def postgres(**names):
    """Keyword arguments of a connection to PostgreSQL; names: what the driver calls them."""
    values = {"host": HERE, "port": int(SERVERS["postgres"]), "user": "postgres",
              "dbname": "postgres"}
    return {names.get(name, name): value for name, value in values.items()}


def mysql(**names):
    values = {"host": HERE, "port": int(SERVERS["mysql"]), "user": "t", "password": "t",
              "database": "test"}
    return {names.get(name, name): value for name, value in values.items()}


def psycopg2():
    module = importlib.import_module("psycopg2")
    return lambda: module.connect(**postgres())


def psycopg():
    module = importlib.import_module("psycopg")
    return lambda: module.connect(**postgres())


def pg8000():
    module = importlib.import_module("pg8000")
    return lambda: module.connect(**postgres(dbname="database"))


def mysqlclient():
    module = importlib.import_module("MySQLdb")
    return lambda: module.connect(**mysql(password="passwd", database="db"))


def pymysql():
    module = importlib.import_module("pymysql")
    return lambda: module.connect(**mysql())


def mysql_connector(pure=True):
    module = importlib.import_module("mysql.connector")
    return lambda: module.connect(use_pure=pure, **mysql())


def mysql_connector_c():
    return mysql_connector(pure=False)


def pyodbc():
    module = importlib.import_module("pyodbc")
    module.pooling = False
    text = ("Driver=/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so;Server=127.0.0.1;Database=postgres;"
            f"Uid=postgres;Port={SERVERS['postgres']}")
    return lambda: module.connect(text)


def apsw():
    module = importlib.import_module("apsw")
    return lambda: module.Connection(f"drivers-{os.getpid()}.db")


def sqlite3():
    module = importlib.import_module("sqlite3")
    return lambda: module.connect(f"drivers-{os.getpid()}.db")


def duckdb():
    module = importlib.import_module("duckdb")
    return lambda: module.connect(f"drivers-{os.getpid()}.{len(keep)}.duck")


def undescribed():
    module = importlib.import_module("notedb")
    return lambda: module.connect(f"notes-{os.getpid()}.db")


def undescribed_class():
    module = importlib.import_module("notedb2")
    return lambda: module.connect(f"notes-{os.getpid()}.db")


class Pool:
    """What the cells need of a pool of COUNT connections."""

    def __init__(self, get, put, connect=None):
        self.get, self.put, self.pool = get, put, connect


def psycopg2_pool():
    module = importlib.import_module("psycopg2.pool")
    pool = module.ThreadedConnectionPool(1, COUNT, **postgres())
    return Pool(pool.getconn, pool.putconn)


def psycopg_pool(name="ConnectionPool"):
    module = importlib.import_module("psycopg_pool")
    least = 0 if name == "NullConnectionPool" else 1
    pool = getattr(module, name)(min_size=least, max_size=COUNT, timeout=0.5, kwargs=postgres(),
                                 open=True)
    atexit.register(pool.close)
    return Pool(pool.getconn, pool.putconn)


def psycopg_null_pool():
    return psycopg_pool("NullConnectionPool")


def dbutils():
    module = importlib.import_module("dbutils.pooled_db")
    creator = importlib.import_module("pymysql")
    pool = module.PooledDB(creator, maxconnections=COUNT, **mysql())
    return Pool(lambda: pool.connection(), lambda connection: connection.close())


def peewee_pool():
    module = importlib.import_module("playhouse.pool")
    pool = module.PooledMySQLDatabase("test", max_connections=COUNT, **{
        name: value for name, value in mysql().items() if name != "database"})
    return Pool(pool._connect, pool._close)


def redis_pool():
    module = importlib.import_module("redis")
    pool = module.ConnectionPool(host=HERE, port=int(SERVERS["redis"]), max_connections=COUNT)
    return Pool(lambda: pool.get_connection("PING"), pool.release)


def mysql_connector_pool():
    module = importlib.import_module("mysql.connector.pooling")
    pool = module.MySQLConnectionPool(pool_size=COUNT, pool_name="three", use_pure=True, **mysql())
    return Pool(pool.get_connection, lambda connection: connection.close())


def guessed_pool():
    module = importlib.import_module("notedb")
    pool = module.Depot(f"notes-{os.getpid()}.db", COUNT)
    return Pool(pool.acquire, pool.release)


# -- what becomes of them --

def kept(new):
    connection = new()  # site: kept
    keep.append(connection)


def dropped(new):
    connection = new()  # site: dropped
    connection.__class__


def cycle(new):
    ring = [new()]  # site: cycle
    ring.append(ring)


def closed(new, give_back):
    connection = new()  # site: closed
    give_back(connection)


def closed_at_exit(new, give_back):
    connection = new()  # site: closed_at_exit
    atexit.register(give_back, connection)


def work(connection):
    raise LookupError("row 9001")


def exception(new, give_back):
    connection = new()  # site: exception
    work(connection)
    give_back(connection)


def in_thread(new):
    local = threading.local()

    def body():
        local.connection = new()  # site: thread
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


def run_cell(cell, new, give_back):
    if cell == "exhausted":
        for _ in range(COUNT):
            kept(new)
        try:
            new()  # site: exhausted
        except Exception as error:
            print("refused", type(error).__name__)
        for connection in keep:
            give_back(connection)
        return
    for _ in range(COUNT):
        if cell in ("closed", "closed_at_exit"):
            globals()[cell](new, give_back)
        elif cell == "exception":
            try:
                exception(new, give_back)
            except LookupError:
                pass
        elif cell == "thread":
            in_thread(new)
        else:
            (kept if cell == "killed" else globals()[cell])(new)


def is_session(link):
    return link.startswith("socket:") or link.endswith((".db", ".duck"))


def count_open():
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink("/proc/self/fd/" + number))
        except FileNotFoundError:
            pass
    return len({(number, link) for number, link in enumerate(links) if is_session(link)})


def main():
    driver, cell = sys.argv[1:3]
    made = globals()[driver]()
    pools.append(made)
    before = count_open()
    if isinstance(made, Pool):
        run_cell(cell, made.get, made.put)
    else:
        run_cell(cell, made, lambda connection: connection.close())
    gc.collect()
    if isinstance(made, Pool):  # its own threads may open and close connections just now
        print("through", flush=True)
    else:
        print(f"before={before} open={count_open()}", flush=True)
    while "until" in SERVERS and not os.path.exists(SERVERS["until"]):
        time.sleep(0.02)
    if cell == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


main()
