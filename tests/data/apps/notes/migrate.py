import json, pathlib
pathlib.Path("notes.json").write_text(json.dumps(["first note"]))
print("migrated")
