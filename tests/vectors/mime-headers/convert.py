#!/usr/bin/env python3
"""Writes the .txt files of this folder from the JSON vectors of mail-parser (resources/*.json).

usage: convert.py FOLDER-WITH-JSON. One case per line: fields in hex, separated by a space; "-" is absent, "=" is empty.
"""
import json
import pathlib
import sys


def h(text):
    return "-" if text is None else (text.encode().hex() or "=")


def addresses(want):
    if not want:
        return
    groups = want.get("Group") or [{"name": None, "addresses": want.get("List", [])}]
    for group in groups:
        if group["name"] is not None:
            yield "G", group["name"], None
        for one in group["addresses"]:
            yield "M", one["name"], one["address"]
        if group["name"] is not None:
            yield "E", None, None


def line(kind, case):
    want = case["expected"]
    fields = [h(case["header"])]
    if kind == "unstructured":
        fields.append(h(want))
    elif kind == "address":
        fields += [field for k, name, addr in addresses(want) for field in (k, h(name), h(addr))]
    elif kind == "content_type":
        fields += [h(want and want.get("c_type")), h(want and want.get("c_subtype"))]
        fields += [field for pair in (want and want.get("attributes") or []) for field in map(h, pair)]
    elif kind == "date" and want:
        zone = want["tz_hour"] * 60 + want["tz_minute"]
        fields += [str(want[k]) for k in ("year", "month", "day", "hour", "minute", "second")]
        fields.append(str(-zone if want["tz_before_gmt"] else zone))
    return " ".join(fields)


for kind in ("address", "content_type", "date", "unstructured"):
    cases = json.loads((pathlib.Path(sys.argv[1]) / f"{kind}.json").read_text())
    out = pathlib.Path(__file__).parent / f"{kind}.txt"
    out.write_text("".join(line(kind, case) + "\n" for case in cases))
