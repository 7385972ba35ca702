#!/usr/bin/env python3
"""Writes trees.txt from mime4j's testmsgs folder: `name message-in-hex tree`.

usage: convert.py FOLDER. In a tree "(a,b)" is a multipart, "<a>" a message, and a leaf is its decoded body in hex.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

folder = pathlib.Path(sys.argv[1])


def entity(node):
    for child in node:
        if child.tag in ("text-body", "binary-body"):
            return (folder / child.get("name")).read_bytes().hex()
        if child.tag == "multipart":
            return "(" + ",".join(entity(part) for part in child if part.tag == "body-part") + ")"
        if child.tag == "message":
            return "<" + entity(child) + ">"
    return ""


lines = []
for path in sorted(folder.glob("*_decoded.xml")):
    name = path.name[: -len("_decoded.xml")]
    raw = (folder / f"{name}.msg").read_bytes()
    lines.append(f"{name} {raw.hex()} {entity(xml.parse(path).getroot())}\n")
(pathlib.Path(__file__).parent / "trees.txt").write_text("".join(lines))
