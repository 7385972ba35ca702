#!/usr/bin/env python3
"""Writes addr-spec.txt from isemail's tests.xml: `id category address-in-hex`; U+2400+n stands for control octet n.

usage: convert.py TESTS.XML
"""
import pathlib
import sys
import xml.etree.ElementTree as tree

out = ""
for test in tree.parse(sys.argv[1]).getroot().findall("test"):
    text = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c for c in test.find("address").text or "")
    category = test.find("category").text.replace("ISEMAIL_", "")
    out += f"{test.get('id')} {category} {text.encode('latin-1').hex() or '='}\n"
(pathlib.Path(__file__).parent / "addr-spec.txt").write_text(out)
