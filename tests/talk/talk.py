#!/usr/bin/python3
"""talk HOST PORT FILE… — runs transcripts (tests/talk/README.md) against a server; exit code 1 where one does not come true.

Standard library only. As a module: read(path) gives a Transcript, run(transcript, connect, variables) plays it.
"""
import re, socket, sys

TIMEOUT_S = 20
ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "t": b"\t", "\\": b"\\"}
LINE = re.compile(r"(?:\[(?P<name>\w+)\] )?(?P<who>C|S|C<):(?: (?P<text>.*))?$")


class Failed(AssertionError):
    pass


class Transcript:
    def __init__(self, path, options, steps):
        self.path, self.options, self.steps = path, options, steps


def unescape(text):
    """The octets of a `C<:` line."""
    def one(m):
        return bytes([int(m[1][1:], 16)]) if m[1][0] == "x" else ESCAPES[m[1]]
    out, at = b"", 0
    for m in re.finditer(r"\\(x[0-9a-fA-F]{2}|[rn0t\\])", text):
        out += text[at:m.start()].encode() + one(m)
        at = m.end()
    return out + text[at:].encode()


def parse(text, path="(text)"):
    options, steps = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            head = re.match(r"# (\w+): (.+)$", line)
            if head and not steps:
                options[head[1]] = head[2]
            continue
        if not line.strip():
            continue
        m = LINE.match(line)
        if not m:
            raise Failed(f"{path}:{number}: not a line of a transcript: {line}")
        steps.append((number, m["name"] or "", m["who"], m["text"] or ""))
    return Transcript(path, options, steps)


def read(path):
    with open(path, encoding="utf-8") as f:
        return parse(f.read(), str(path))


class Wire:
    """One connection, line by line."""
    def __init__(self, sock):
        sock.settimeout(TIMEOUT_S)
        self.sock, self.left = sock, b""
        self.sent = ""  # the last whole line that the client sent

    def line(self):
        """The next line without its CRLF, or None at the end."""
        while b"\n" not in self.left:
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.left += more
        line, self.left = self.left.split(b"\n", 1)
        return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


def fill(text, variables):
    """Puts captured values in place of %{name}."""
    return re.sub(r"%\{(\w+)\}", lambda m: variables[m[1]], text)


def pattern(text, variables):
    """A compiled pattern: `*` is anything, but "* " at the start is itself; %{name} is the value captured before, or
    captures a word now."""
    untagged = text.startswith("* ")
    out, fresh = "\\* " if untagged else "", []
    for part in re.split(r"(\*|%\{\w+\})", text[2:] if untagged else text):
        name = part[2:-1] if part.startswith("%{") else None
        if part == "*":
            out += ".*"
        elif name and name in variables:
            out += re.escape(variables[name])
        elif name:
            out += f"(?P<{name}>[^\\s)\\]]+)"
            fresh.append(name)
        else:
            out += re.escape(part)
    return re.compile(out), fresh


def expect(wire, want, variables, where):
    got = wire.line()
    if want == "<closed>":
        if got is not None:
            raise Failed(f"{where}: still open, says: {got}")
        return
    if got is None:
        raise Failed(f"{where}: closed; expected: {want}")
    compiled, fresh = pattern(want, variables)
    m = compiled.fullmatch(got)
    if not m:
        raise Failed(f"{where}:\n  expected {want}\n  got      {got}")
    variables.update({name: m[name] for name in fresh})


def begins_tls(sent, got):
    """True where the client asked for TLS (`STARTTLS`, `STLS`, with a tag in IMAP) and the server's line says yes."""
    words = sent.upper().split()
    yes = got.startswith(("220", "+OK")) or got.upper().split()[1:2] == ["OK"]
    return bool(words) and words[-1] in ("STARTTLS", "STLS") and yes


def run(transcript, connect, variables=None, tls=None):
    """Plays a transcript; connect() opens a connection, tls(socket) begins TLS on it where the transcript asks for it.
    Raises Failed."""
    wires, variables = {}, dict(variables or {})
    try:
        for number, name, who, text in transcript.steps:
            where = f"{transcript.path}:{number}"
            wire = wires.get(name)
            if not wire:
                wire = wires[name] = Wire(connect())
            if who == "S":
                try:
                    expect(wire, text, variables, where)
                    if tls and begins_tls(wire.sent, text):
                        wire.sock, wire.sent = tls(wire.sock), ""
                except TimeoutError:
                    raise Failed(f"{where}: nothing came; expected: {text}") from None
            else:
                text = fill(text, variables)
                wire.sent = text if who == "C" else ""
                wire.sock.sendall(text.encode() + b"\r\n" if who == "C" else unescape(text))
    finally:
        for wire in wires.values():
            wire.sock.close()


def main():
    host, port, *paths = sys.argv[1:]
    failed = 0
    for path in paths:
        try:
            run(read(path), lambda: socket.create_connection((host, int(port)), TIMEOUT_S))
            print(f"ok   {path}")
        except Failed as e:
            failed = 1
            print(f"FAIL {e}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
