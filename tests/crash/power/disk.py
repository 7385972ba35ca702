"""disk — what a disk may hold after a power cut: from the record of changes (recorder.c) and a point where it ends.

The model: a file's octets become durable by a flush of the file that began after they were written and ended before the
cut; sizes too; names by a flush of their folder. Of the rest any 4 KiB block may hold what it held at any moment since, now
and then torn at sectors of 512 octets; a file has any of the sizes it had since; of the changes to a folder's names
survive as many as came first, or (stricter than file systems with a journal) any of them. Octets never written are zeros. What
was written through memory is not known: such a file holds anything.
"""
import os, pathlib, random, shutil, struct

BLOCK, SECTOR = 4096, 512
FOUND, CREATE, WRITE, SIZE, GROW, FLUSH, FLUSHED, RENAME, UNLINK, MKDIR, LINK, MARK, MAPPED = range(1, 14)
HEAD = struct.Struct("<IIQQQ")


def read_trace(path):
    """[(type, file, a, b, octets)] of a record."""
    data, at, events = path.read_bytes(), 0, []
    while at + HEAD.size <= len(data):
        kind, file, a, b, n = HEAD.unpack_from(data, at)
        at += HEAD.size
        events.append((kind, file, a, b, data[at:at + n]))
        at += n
    assert at == len(data), "the record is cut short"
    return events


class File:
    def __init__(self, content=b""):
        self.live, self.kept = bytearray(content), bytearray(content)  # as programs see it; durable
        self.kept_size = len(content)
        self.blocks = {}  # block: [(when, octets)] since its durable content
        self.sizes = []   # [(when, size)] since kept_size
        self.mapped = False
        self.kind = 0     # of a segment: 1 log, 2 bulk

    def note(self, when, first, last):
        for block in range(first, last + 1):
            octets = bytes(self.live[block * BLOCK:(block + 1) * BLOCK])
            self.blocks.setdefault(block, []).append((when, octets))

    def write(self, when, at, octets, through):
        if at == 0 and octets[:8] == b"hongyan\n":
            self.kind = octets[16]
        end = at + len(octets)
        self.resize(when, max(end, len(self.live)))
        self.live[at:end] = octets
        self.note(when, at // BLOCK, (end - 1) // BLOCK)
        if through:
            self.flushed(when + 1, range(at // BLOCK, (end - 1) // BLOCK + 1))

    def resize(self, when, size):
        old = len(self.live)
        if size == old:
            return
        self.sizes.append((when, size))
        if size > old:
            self.live.extend(bytes(size - old))
            return
        self.live[size:] = bytes(old - size)
        self.note(when, size // BLOCK, (old - 1) // BLOCK)  # zeros, should it grow again
        del self.live[size:]

    def flushed(self, began, blocks=None):
        """All from before `began` is durable (of some blocks only, where named)."""
        for block in list(self.blocks) if blocks is None else blocks:
            versions = self.blocks[block]
            done = [octets for when, octets in versions if when < began]
            if done:
                self.keep(block, done[-1])
                self.blocks[block] = versions[len(done):]
            if not self.blocks[block]:
                del self.blocks[block]
        done = [size for when, size in self.sizes if when < began]
        if done:
            self.kept_size = done[-1]
            self.sizes = self.sizes[len(done):]

    def keep(self, block, octets):
        at = block * BLOCK
        if len(self.kept) < at + BLOCK:
            self.kept.extend(bytes(at + BLOCK - len(self.kept)))
        self.kept[at:at + BLOCK] = octets.ljust(BLOCK, b"\0")

    def after_cut(self, rng, share, torn):
        size = rng.choice([self.kept_size, *(s for _, s in self.sizes)]) if self.sizes else self.kept_size
        if self.sizes and rng.random() < 0.5:
            size = self.sizes[-1][1] if rng.random() < share else self.kept_size
        out = bytearray(self.kept[:size]).ljust(size, b"\0")
        for block, versions in self.blocks.items():
            at = block * BLOCK
            if at >= size or rng.random() >= share:
                continue
            octets = self.pick(rng, versions)
            if rng.random() < torn:
                old = bytes(self.kept[at:at + BLOCK]).ljust(BLOCK, b"\0")
                others = [old, self.pick(rng, versions), octets]
                octets = b"".join(rng.choice(others)[s:s + SECTOR] for s in range(0, BLOCK, SECTOR))
            octets = octets[:size - at]
            out[at:at + len(octets)] = octets
        if self.mapped:
            return rng.randbytes(size) if rng.random() < 0.5 else bytes(size)
        return out

    @staticmethod
    def pick(rng, versions):
        octets = versions[-1][1] if rng.random() < 0.5 else rng.choice(versions)[1]
        return octets.ljust(BLOCK, b"\0")


class Folder:
    def __init__(self):
        self.live, self.kept = {}, {}  # name: File or Folder
        self.changes = []              # [(when, {name: node or None})]

    def change(self, when, names):
        self.changes.append((when, names))
        self.put(self.live, names)

    @staticmethod
    def put(entries, names):
        for name, node in names.items():
            if node is None:
                entries.pop(name, None)
            else:
                entries[name] = node

    def flushed(self, began):
        while self.changes and self.changes[0][0] < began:
            self.put(self.kept, self.changes.pop(0)[1])

    def after_cut(self, rng, share, any_of_them):
        entries = dict(self.kept)
        first = rng.randint(0, len(self.changes))
        for i, (_, names) in enumerate(self.changes):
            if rng.random() < share if any_of_them else i < first:
                self.put(entries, names)
        return entries


class Disk:
    """Takes the events of a record, one after the other."""

    def __init__(self, folder=None, ignore=None):
        """folder: what was there, durable. ignore(node): its flushes do nothing, though the program believes in them."""
        self.root, self.node, self.began, self.ignore = Folder(), {}, {}, ignore
        self.log_flushes = []  # (began, ended) of flushes of the log
        if folder:
            self.load(self.root, pathlib.Path(folder))

    def load(self, node, path):
        for entry in path.iterdir():
            child = Folder() if entry.is_dir() else File(entry.read_bytes())
            if entry.is_dir():
                self.load(child, entry)
            elif child.live[:8] == b"hongyan\n":
                child.kind = child.live[16]
            node.live[entry.name] = node.kept[entry.name] = child

    def find(self, path):
        node = self.root
        for name in path.split("/") if path else []:
            node = node.live[name]
        return node

    def parent(self, path):
        folder, _, name = path.rpartition("/")
        return self.find(folder), name

    def take(self, when, event):
        kind, file, a, b, octets = event
        if kind == WRITE:
            self.node[file].write(when, a, octets, b)
        elif kind == FLUSH:
            self.began[a] = when
        elif kind == FLUSHED:
            self.flushed(when, self.node[file], self.began[a])
        elif kind in (SIZE, GROW):
            node = self.node[file]
            node.resize(when, a if kind == SIZE else max(a, len(node.live)))
        elif kind == MAPPED:
            self.node[file].mapped = True
        elif kind != MARK:
            self.named(when, kind, file, octets.decode())

    def flushed(self, when, node, began):
        if isinstance(node, File) and node.kind == 1:
            self.log_flushes.append((began, when))
        if not (self.ignore and self.ignore(node)):
            node.flushed(began)

    def named(self, when, kind, file, path):
        if kind == FOUND:
            self.node[file] = self.find(path)
            return
        path, _, to = path.partition("\0")
        folder, name = self.parent(path)
        if kind in (CREATE, MKDIR):
            self.node[file] = File() if kind == CREATE else Folder()
            folder.change(when, {name: self.node[file]})
        elif kind == UNLINK:
            folder.change(when, {name: None})
        else:
            other, new = self.parent(to)
            assert other is folder, "renames between folders are not modelled"
            gone = {name: None} if kind == RENAME else {}
            folder.change(when, {**gone, new: folder.live[name]})

    def cut(self, rng, out):
        """Writes one of the disks that a power cut may leave now to the folder `out`."""
        share = rng.choice([0, 0.1, 0.5, 0.9, 1])
        torn = rng.choice([0, 0.1])
        self.write_out(self.root, pathlib.Path(out), rng, share, torn, rng.random() < 0.5)

    def write_out(self, folder, path, rng, share, torn, any_of_them):
        path.mkdir()
        for name, node in sorted(folder.after_cut(rng, share, any_of_them).items()):
            if isinstance(node, Folder):
                self.write_out(node, path / name, rng, share, torn, any_of_them)
            else:
                (path / name).write_bytes(node.after_cut(rng, share, torn))

    def differs(self, path, folder=None):
        """Names whose content in the real folder is not what the events say: nothing may be missed."""
        folder = folder or self.root
        real = {entry.name: entry for entry in pathlib.Path(path).iterdir()}
        for name in sorted(set(real) | set(folder.live)):
            node, entry = folder.live.get(name), real.get(name)
            if node is None or entry is None:
                yield f"{path}/{name}"
            elif isinstance(node, Folder):
                yield from self.differs(entry, node)
            elif not node.mapped and entry.read_bytes() != node.live:
                yield f"{path}/{name}"
