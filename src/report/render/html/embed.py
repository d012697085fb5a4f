#!/usr/bin/env python3
"""Puts the page together and makes C of it.

    embed.py SOURCES NPM_FOLDER PAGE_C PAGE_HTML auto|enabled|disabled

SOURCES is page/ here, NPM_FOLDER a folder of the build, where npm puts the packages of
package-lock.json. Without npm, or if they cannot be had, an empty page is embedded ("auto") or the
build fails ("enabled"). Only the first build needs the network.
"""
import hashlib
import os
import shutil
import subprocess
import sys

SECONDS = 240
HEAD = """// Made by embed.py: the page.
#include "report/render/html/embedded.h"

const unsigned char html_page[] = {
"""


class Missing(Exception):
    """What keeps the page from being made."""


def run(command, folder):
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} was not ready after {SECONDS} s") from error
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Missing(f"{' '.join(command[:2])} failed:\n    " + "\n    ".join(lines[-12:]))


def packages(sources, folder):
    """Installs what package-lock.json names, unless that is done."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Missing("npm is not installed")
    with open(os.path.join(sources, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    stamp = os.path.join(folder, "installed")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == wanted:
                return
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(os.path.join(sources, name), folder)
    run([npm, "ci", "--prefer-offline", "--fetch-retries=1", "--fetch-timeout=30000"], folder)
    with open(stamp, "w", encoding="ascii") as file:
        file.write(wanted)


def bundle(sources, folder, html):
    """What fails here is a fault of the page, not of the machine."""
    try:
        run(["node", os.path.join(sources, "bundle.mjs"), sources, folder, html], folder)
    except Missing as fault:
        sys.exit(f"page: {fault}")


def embed(html, output):
    with open(html, "rb") as file:
        data = file.read()
    with open(output, "w", encoding="ascii") as file:
        file.write(HEAD)
        for at in range(0, len(data), 24):
            file.write(",".join(map(str, data[at:at + 24])) + ",\n")
        file.write("0};\nconst size_t html_page_bytes = sizeof html_page - 1;\n")


def main():
    sources, folder, output, html = map(os.path.abspath, sys.argv[1:5])
    wanted = sys.argv[5]
    try:
        if wanted == "disabled":
            raise Missing("it is switched off (-Dpage=disabled)")
        packages(sources, folder)
        bundle(sources, folder, html)
    except Missing as missing:
        print(f"page: --format=html will not be there: {missing}", file=sys.stderr)
        if wanted == "enabled":
            return 1
        with open(html, "wb"):
            pass
    embed(html, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
