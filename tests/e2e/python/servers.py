"""Real servers on loopback, each in a folder of its own and with a port of its own.

start(name) gives the port of a server that has been started; stop_all ends them all.
"""

import atexit
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
PATIENCE = 60  # seconds

running = {}  # name: (port, function that stops it)


class Missing(Exception):
    """A server is not installed here."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def folder_for(name, user):
    """An empty folder of the user's, and how to become that user: PostgreSQL refuses root."""
    folder = tempfile.mkdtemp(prefix=f"e2e-{name}-")
    if os.geteuid() != 0:
        return folder, {}
    who = pwd.getpwnam(user)
    os.chown(folder, who.pw_uid, who.pw_gid)
    return folder, {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def await_port(port, process):
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"a server ended with status {process.returncode}: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"a server does not answer: {process.args}")


def postgres():
    if not POSTGRES:
        raise Missing("postgresql is not installed")
    folder, who = folder_for("pg", "nobody")
    data, port = os.path.join(folder, "data"), free_port()
    quiet = {"env": ENVIRONMENT, "cwd": folder, "stdout": subprocess.DEVNULL, **who}
    subprocess.run([POSTGRES[-1] + "/initdb", "-D", data, "-U", "postgres", "-A", "trust",
                    "-E", "UTF8", "--no-sync"], check=True, timeout=PATIENCE, **quiet)
    options = (f"-F -p {port} -c listen_addresses=127.0.0.1 -c max_connections=40 "
               f"-c unix_socket_directories='{folder}'")
    control = [POSTGRES[-1] + "/pg_ctl", "-D", data, "-w", "-t", str(PATIENCE)]
    subprocess.run([*control, "-l", os.path.join(folder, "log"), "-o", options, "start"],
                   check=True, timeout=PATIENCE + 5, **quiet)

    def stop():
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, timeout=PATIENCE,
                       **quiet)
        shutil.rmtree(folder, ignore_errors=True)
    return port, stop


def background(command, folder, who, port):
    """Starts a server that stays in the foreground; returns what stops it."""
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, start_new_session=True, **who)

    def stop():
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    try:
        await_port(port, process)
    except RuntimeError:
        stop()
        raise
    return stop


def mysql():
    """MariaDB with a user `t` (password `t`) and a database `test`."""
    server = shutil.which("mariadbd", path=ENVIRONMENT["PATH"])
    install = shutil.which("mariadb-install-db", path=ENVIRONMENT["PATH"])
    if not server or not install:
        raise Missing("mariadb-server is not installed")
    folder, who = folder_for("my", "nobody")
    data, port = os.path.join(folder, "data"), free_port()
    subprocess.run([install, "--no-defaults", f"--datadir={data}", "--skip-test-db",
                    "--auth-root-authentication-method=normal"], check=True, timeout=PATIENCE,
                   cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, **who)
    start = os.path.join(folder, "start.sql")
    with open(start, "w", encoding="ascii") as file:
        file.write("create database test;\ncreate user t@'%' identified by 't';\n"
                   "grant all on *.* to t@'%';\n")
    os.chmod(start, 0o644)
    stop = background([server, "--no-defaults", f"--datadir={data}", f"--port={port}",
                       "--bind-address=127.0.0.1", f"--socket={folder}/socket",
                       f"--pid-file={folder}/pid", f"--init-file={start}"], folder, who, port)
    return port, stop


def redis():
    server = shutil.which("redis-server", path=ENVIRONMENT["PATH"])
    if not server:
        raise Missing("redis-server is not installed")
    folder, who = folder_for("redis", "nobody")
    port = free_port()
    stop = background([server, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                       "--dir", folder], folder, who, port)
    return port, stop


STARTERS = {"postgres": postgres, "mysql": mysql, "redis": redis}


def start(name):
    """The port of the server of this name, started when it is asked for first; or Missing."""
    if name not in running:
        running[name] = STARTERS[name]()
    return running[name][0]


@atexit.register
def stop_all():
    while running:
        running.popitem()[1][1]()
