"""records — finds the records of a store's segment files (docs/FORMAT.md), for tests that damage or copy them."""
import pathlib, struct

BEGIN, END, COMMIT, BLOB, BULK, SEAL, IMAGE, MAP = 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb8, 0xb9
HEAD, DATA = 80, 8192


class Record:
    def __init__(self, file, at, head):
        self.file, self.at, self.head = file, at, head
        self.type, self.flags, self.outcome, self.octets, self.lsn = struct.unpack_from("<BBHIQ", head, 8)
        self.numbers = struct.unpack_from("<3Q", head, 32)


def records(file):
    """Those of one segment, in order. What a body holds is passed over with it."""
    octets, at, found = pathlib.Path(file).read_bytes(), DATA, []
    while at + HEAD <= len(octets):
        one = Record(file, at, octets[at:at + HEAD])
        if one.type in range(BEGIN, MAP + 1) and struct.unpack_from("<I", one.head, 24)[0] == at:
            found.append(one)
            at += HEAD + one.octets
        else:
            at += 1 if any(octets[at:at + 65536]) else 65536
    return found


def kind(file):
    """1 log, 2 bulk, 3 pack."""
    with open(file, "rb") as f:
        return struct.unpack("<I", f.read(20)[16:])[0]


def flip(file, at, bits=0x01):
    """Changes one octet of a file."""
    with open(file, "r+b") as f:
        f.seek(at)
        octet = f.read(1)[0]
        f.seek(at)
        f.write(bytes([octet ^ bits]))
