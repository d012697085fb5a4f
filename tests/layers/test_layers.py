#!/usr/bin/env python3
"""Does layers.py see what it is there for? Small trees, each with one fault planted."""
import json
import os
import subprocess
import tempfile
import unittest

import layers

ROOMS = "it [one-way]: low it/mid it/high\nonly it/mid/middle.c: dlsym\n"
CLEAN = {
    "low/base.c": "int base(void);\nint base(void) { return 1; }\n",
    "it/mid/middle.c": '#include "low/base.h"\nint middle(void);\nint base(void);\n'
    "int middle(void) { return base(); }\n",
    "it/high/top.c": "int top(void);\nint middle(void);\nint top(void) { return middle(); }\n",
}


class Planted(unittest.TestCase):
    def check(self, changes, without=()):
        """What layers.py says of the clean tree with these files changed and those objects gone."""
        with tempfile.TemporaryDirectory(prefix="unclosed-layers-") as folder:
            os.makedirs(os.path.join(folder, "src"))
            with open(os.path.join(folder, "src/rooms"), "w", encoding="utf-8") as file:
                file.write(ROOMS)
            commands = []
            for path, text in {**CLEAN, **changes}.items():
                source = os.path.join(folder, "src", path)
                output = os.path.join("src", os.path.dirname(path), "lib.p", os.path.basename(path) + ".o")
                for each in (source, os.path.join(folder, "build", output)):
                    os.makedirs(os.path.dirname(each), exist_ok=True)
                with open(source, "w", encoding="utf-8") as file:
                    file.write("\n".join(line for line in text.split("\n") if not line.startswith("#include")))
                compiler = ["gcc", "-c", source, "-o", os.path.join(folder, "build", output)]
                subprocess.run(compiler + ["-flto"] * path.endswith(".c"), check=True)
                with open(source, "w", encoding="utf-8") as file:
                    file.write(text)
                commands.append({"directory": os.path.join(folder, "build"), "file": source, "output": output})
                if path in without:
                    os.unlink(os.path.join(folder, "build", output))
            with open(os.path.join(folder, "build/compile_commands.json"), "w", encoding="utf-8") as file:
                json.dump(commands, file)
            return layers.check(folder, os.path.join(folder, "build"))[0]

    def test_clean(self):
        self.assertEqual(self.check({}), [])

    def test_call(self):
        planted = "int base(void);\nint top(void);\nint base(void) { return top(); }\n"
        wrong = self.check({"low/base.c": planted})
        self.assertIn("src/low/base.c needs top, which is above it: src/it/high/top.c", wrong)

    def test_include(self):
        wrong = self.check({"low/base.c": '#include "it/mid/middle.h"\n' + CLEAN["low/base.c"]})
        self.assertEqual(wrong, ["src/low/base.c includes it/mid/middle.h, which is above it"])

    def test_circle(self):
        other = "int other(void);\nint middle(void);\nint other(void) { return middle(); }\n"
        middle = "int middle(void);\nint other(void);\nint middle(void) { return other(); }\n"
        wrong = self.check({"it/mid/other.c": other, "it/mid/middle.c": middle})
        self.assertEqual(
            wrong,
            [
                "a circle: src/it/mid/middle.c needs other of src/it/mid/other.c, "
                "src/it/mid/other.c needs middle of src/it/mid/middle.c"
            ],
        )

    def test_assembly_is_one_with_what_it_enters(self):
        assembly = ".globl stub\nstub: call middle\n"
        middle = "int middle(void);\nextern char stub[];\nint middle(void) { return stub[0]; }\n"
        self.assertEqual(self.check({"it/mid/entry.S": assembly, "it/mid/middle.c": middle}), [])

    def test_only(self):
        planted = "void *dlsym(void *, const char *);\nvoid *top(void);\nvoid *top(void) { return dlsym(0, 0); }\n"
        wrong = self.check({"it/high/top.c": planted})
        self.assertEqual(wrong, ["src/it/high/top.c calls dlsym, which only src/it/mid/middle.c may"])
        by_pointer = "struct api { int (*dlsym)(void); };\nint top(struct api *api);\n" \
            "int top(struct api *api) { return api->dlsym(); }\n"
        self.assertEqual(self.check({"it/high/top.c": by_pointer}), wrong)

    def test_objects_not_seen(self):
        wrong = self.check({}, without=["it/mid/middle.c"])
        self.assertIn("2 objects seen of 3 that are compiled", wrong)
        self.assertIn("it/mid: a room without any object", wrong)


if __name__ == "__main__":
    unittest.main()
