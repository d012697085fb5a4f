#!/usr/bin/env python3
"""Compares call specs with the prototypes in the installed headers.

    check_headers.py COMPILER SPEC...

For each function in a spec a C++ file asserts what the spec says: how many arguments there are, which
of them are pointers, pointers to pointers, texts and integers, and what the result is. A function
that the header does not declare, a wrong count or a wrong role does not compile. Output is TAP; specs
whose headers Debian has no package for, or that are not installed, are skipped.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# Which headers, of which pkg-config packages. None: Debian has none, the spec names the source.
HEADERS = {
    "sqlite3": (["sqlite3.h"], ["sqlite3"]),
    "apr_dbd": (["apr_dbd.h"], ["apr-util-1", "apr-1"]),
    "apr_reslist": (["apr_reslist.h"], ["apr-util-1", "apr-1"]),
    "libpq": (["libpq-fe.h"], ["libpq"]),
    "libzdb": (["zdb.h"], ["zdb"]),
    "mariadb": (["mysql.h"], ["libmariadb"]),
    "unixodbc": (["sql.h", "sqlext.h", "sqlucode.h"], ["odbc"]),
    "asterisk": None,
    "freeswitch": None,
}
# Named in a spec, but only in headers newer than Debian's.
NEWER = {"ConnectionPool_getConnectionOrException"}

CALL = re.compile(r"(acquire|release|discard|fill|use|size)\s+(\w+)\((.*?)\)\s*(?:->\s*(.*))?$")

PROLOGUE = r"""
#include <cstdint>
#include <tuple>
#include <type_traits>

template <typename F> struct prototype;
template <typename R, typename... A> struct prototype<R (*)(A...)> {
    using result = R;
    using arguments = std::tuple<A...>;
    static constexpr int count = sizeof...(A);
    static constexpr bool variadic = false;
};
template <typename R, typename... A> struct prototype<R (*)(A..., ...)> {
    using result = R;
    using arguments = std::tuple<A...>;
    static constexpr int count = sizeof...(A);
    static constexpr bool variadic = true;
};
template <typename R, typename... A>
struct prototype<R (*)(A...) noexcept> : prototype<R (*)(A...)> {};
template <int I, typename F>
using argument = std::tuple_element_t<I, typename prototype<F>::arguments>;

// Handles are pointers to objects; ODBC's are typedefs of void *.
template <typename T> constexpr bool is_pointer = std::is_pointer_v<T>;
template <typename T>
constexpr bool is_out = is_pointer<T> && is_pointer<std::remove_pointer_t<T>>;
// APR writes void **; a handle that is itself void * cannot be told from any other pointer.
template <typename T> constexpr bool is_integer = std::is_integral_v<T> || std::is_enum_v<T>;
template <typename T>
constexpr bool is_text =
    is_pointer<T> && sizeof(std::remove_pointer_t<T>) == 1 &&
    std::is_integral_v<std::remove_cv_t<std::remove_pointer_t<T>>>;
"""

ROLE_IS = {
    "handle": "is_pointer",
    "*handle": "is_out",
    "pool": "is_pointer",
    "*pool": "is_out",
    "name": "is_text",
    "database": "is_text",
    "size": "is_integer",
}


def calls(text):
    """Yields (function, arguments, result) of a spec file; result is None or what follows ->."""
    for line in re.split(r"[\n;]", re.sub(r"#.*", "", text)):
        line = line.strip()
        if not line or line.startswith("kind") or " python:" in line:
            continue
        match = CALL.match(line)
        if not match:
            raise SystemExit(f"not understood: {line}")
        _, function, arguments, result = match.groups()
        yield function, [one.strip() for one in arguments.split(",") if one.strip()], result


def result_assertion(function, result):
    kind = f"prototype<F_{function}>::result"
    if result is None:
        return "true"
    if result in ("handle", "pool"):
        return f"is_pointer<{kind}>"
    bits = {"int8": 1, "int16": 2}.get(result.split()[0], 4)
    return f"is_integer<{kind}> && sizeof({kind}) == {bits}"


def assertions(function, arguments, result):
    open_ended = arguments[-1:] == ["..."]
    listed = arguments[:-1] if open_ended else arguments
    f = f"F_{function}"
    yield f"using {f} = decltype(&::{function});"
    more = f"prototype<{f}>::count > {len(listed)} || prototype<{f}>::variadic"
    exact = f"prototype<{f}>::count == {len(listed)} && !prototype<{f}>::variadic"
    yield f'static_assert({more if open_ended else exact}, "{function}: number of arguments");'
    yield f'static_assert(prototype<{f}>::count >= {len(listed)}, "{function}: too many arguments");'
    for index, role in enumerate(listed):
        check = ROLE_IS.get(role, None if role == "_" else "is_integer")
        if check:
            yield (
                f"static_assert({check}<argument<{index}, {f}>>, "
                f'"{function}: argument {index + 1} as {role}");'
            )
    yield f'static_assert({result_assertion(function, result)}, "{function}: result {result}");'


def source_of(spec, headers):
    lines = [f"#include <{header}>" for header in headers] + [PROLOGUE]
    done = set()
    for function, arguments, result in calls(spec.read_text()):
        if function in NEWER:
            continue
        body = list(assertions(function, arguments, result))
        lines += body[1:] if function in done else body
        done.add(function)
    return "\n".join(lines) + "\n"


def flags_of(packages):
    """The compiler flags of the packages, or None if one is not installed."""
    answer = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True)
    return answer.stdout.split() if answer.returncode == 0 else None


def compile_errors(compiler, source, flags):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "check.cc")
        path.write_text(source)
        command = [compiler, "-std=c++17", "-fsyntax-only", *flags, str(path)]
        answer = subprocess.run(command, capture_output=True, text=True)
    return [line for line in answer.stderr.splitlines() if "error" in line] if answer.returncode else []


def main():
    compiler, *names = sys.argv[1:]
    failed = False
    specs = [pathlib.Path(name) for name in names]
    print(f"1..{len(specs)}")
    for number, spec in enumerate(specs, 1):
        if HEADERS.get(spec.stem) is None:
            reason = "no Debian package" if spec.stem in HEADERS else "names no C function of a header"
            print(f"ok {number} - {spec.stem} # SKIP {reason}")
            continue
        headers, packages = HEADERS[spec.stem]
        flags = flags_of(packages)
        if flags is None:
            print(f"ok {number} - {spec.stem} # SKIP {' '.join(packages)} not installed")
            continue
        errors = compile_errors(compiler, source_of(spec, headers), flags)
        failed |= bool(errors)
        print(f"{'not ok' if errors else 'ok'} {number} - {spec.stem}")
        for error in errors:
            print(f"# {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
