#!/usr/bin/python3
"""JSON is as docs/schema says, and the schema has each key that is there."""

import copy
import json
import os

import jsonschema

import formats_harness as harness

SCHEMA = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "schema", "report-1.json")


def closed(schema):
    """The schema without room for keys that it does not name."""
    schema = copy.deepcopy(schema)

    def close(node):
        if isinstance(node, dict):
            if "properties" in node:
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
    close(schema)
    return schema


class Schema(harness.FormatsTestCase):
    def setUp(self):
        super().setUp()
        with open(SCHEMA, encoding="utf-8") as file:
            self.schema = json.load(file)
        jsonschema.Draft7Validator.check_schema(self.schema)

    def documents(self):
        for name, folder in self.traces.items():
            for command, options in (("report", ()), ("report", ("--group-by", "test")), ("held", ())):
                yield (name, command), json.loads(self.render("json", *options, folder, command=command))

    def test_every_output(self):
        for schema in (self.schema, closed(self.schema)):
            for what, document in self.documents():
                kind = "held" if what[1] == "held" else "report"
                validator = jsonschema.Draft7Validator({**schema, "oneOf": [{"$ref": f"#/$defs/{kind}"}]})
                errors = [f"{list(error.absolute_path)}: {error.message[:200]}"
                          for error in validator.iter_errors(document)]
                self.assertEqual(errors[:5], [], what)

    def test_finds_what_is_wrong(self):
        document = json.loads(self.render("json", self.traces["killed"]))
        for spoil in (lambda d: d.pop("sites"), lambda d: d.update(schema=2),
                      lambda d: d["sites"][0].update(opened="4"), lambda d: d["totals"].update(other={})):
            broken = copy.deepcopy(document)
            spoil(broken)
            self.assertFalse(jsonschema.Draft7Validator(self.schema).is_valid(broken))
        document["sites"][0]["unknown"] = 1
        self.assertTrue(jsonschema.Draft7Validator(self.schema).is_valid(document))
        self.assertFalse(jsonschema.Draft7Validator(closed(self.schema)).is_valid(document))


if __name__ == "__main__":
    harness.main()
