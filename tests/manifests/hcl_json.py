"""usage: python3 hcl_json.py FOLDER: the *.tf files of a folder as one JSON object, by python-hcl2, whose
interpreter runs this. Blocks come together: {"resource": [...], "variable": [...]}."""
import collections
import json
import pathlib
import sys

import hcl2


def without_comments(found):
    if isinstance(found, dict):
        return {name: without_comments(value) for name, value in found.items() if name != "__comments__"}
    return [without_comments(item) for item in found] if isinstance(found, list) else found


blocks = collections.defaultdict(list)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tf")):
    with path.open() as file:
        for kind, items in hcl2.load(file).items():
            blocks[kind] += without_comments(items)
json.dump(blocks, sys.stdout)
