"""fleet — a hundred ordinary sessions (50 IMAP, 25 POP3, 25 SMTP) that do small things all the time, in a process of its own.

Every one of them must succeed with everything; how long the slowest answer took is noted beside how late this process
itself was. `window()` says what happened since the last one: figures to print, never to assert.
"""
import asyncio, json, re, subprocess, sys, time

IMAP, POP3, SMTP = 50, 25, 25
REST_S = 0.3         # between two things that a session does
ANSWER_S = 60        # longer than this is a failure
CAUGHT_UP_S = 90     # by then each session has done something more


class Fleet:
    def __init__(self, server, password):
        words = [server.base, server.address("fleet"), password]
        self.process = subprocess.Popen([sys.executable, __file__, *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.window()

    def window(self):
        """Waits until every session has done one more thing; {"done", "pause_ms", "own_ms", "faults"} since the last window."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


class Sessions:
    """The other side: all sessions on one loop."""

    def __init__(self, base, user, password):
        self.base, self.user, self.password = base, user, password
        self.faults, self.done, self.pause, self.own = [], [0] * (IMAP + POP3 + SMTP), 0, 0

    async def line(self, talk):
        line = await asyncio.wait_for(talk[0].readline(), ANSWER_S)
        if not line.endswith(b"\n"):
            raise OSError("hung up")
        return line

    async def ask(self, talk, command, good, until=None):
        """One command and its answer, which must match `good`; lines up to one that matches `until` come first."""
        began = time.monotonic()
        talk[1].write(command.encode())
        line = await self.line(talk)
        while until and not re.match(until, line):
            line = await self.line(talk)
        self.pause = max(self.pause, time.monotonic() - began)
        if not re.match(good, line):
            raise ValueError(f"{command!r}: {line!r}")

    async def open(self, port):
        talk = await asyncio.open_connection("127.0.0.1", self.base + port)
        await self.line(talk)
        return talk

    async def imap(self, i):
        talk = await self.open(143)
        answer = rb"a "
        await self.ask(talk, f'a LOGIN {self.user} "{self.password}"\r\n', rb"a OK", answer)
        await self.ask(talk, "a SELECT INBOX\r\n", rb"a OK", answer)
        while True:
            for command in ("NOOP", "STATUS Sent (MESSAGES)", "FETCH 1 (FLAGS BODY.PEEK[])", "STORE 1 +FLAGS (\\Seen)",
                            "UID SEARCH 1:10", "FETCH 1 ENVELOPE"):
                await self.ask(talk, f"a {command}\r\n", rb"a OK", answer)
                yield
            if i == 0:  # the mailbox stays small
                await self.ask(talk, "a STORE 20:* +FLAGS.SILENT (\\Deleted)\r\n", rb"a (OK|NO|BAD)", answer)
                await self.ask(talk, "a EXPUNGE\r\n", rb"a OK", answer)

    async def pop3(self, i):
        while True:
            talk = await self.open(110)
            await self.ask(talk, f"USER {self.user}\r\n", rb"\+OK")
            await self.ask(talk, f"PASS {self.password}\r\n", rb"\+OK")
            for command in ("STAT", "NOOP", "LIST 1", "UIDL 1"):
                await self.ask(talk, f"{command}\r\n", rb"\+OK")
                yield
            await self.ask(talk, "RETR 1\r\n", rb"\.\r\n", rb"\.\r\n")
            await self.ask(talk, "QUIT\r\n", rb"\+OK")
            talk[1].close()

    async def smtp(self, i):
        while True:
            talk = await self.open(25)
            await self.ask(talk, "EHLO fleet.test\r\n", rb"250 ", rb"\d{3} ")
            for _ in range(3):
                for command, good in (("NOOP", rb"250"), (f"MAIL FROM:<f{i}@elsewhere.test>", rb"250"),
                                      (f"RCPT TO:<{self.user}>", rb"250"), ("DATA", rb"354"),
                                      ("Subject: small\r\n\r\nbody\r\n.", rb"250")):
                    await self.ask(talk, f"{command}\r\n", good)
                for _ in range(10):  # deliveries are few, so that the store stays small
                    await self.ask(talk, "NOOP\r\n", rb"250")
                    yield
            await self.ask(talk, "QUIT\r\n", rb"221")
            talk[1].close()

    async def live(self, number, steps):
        try:
            async for _ in steps:
                self.done[number] += 1
                await asyncio.sleep(REST_S)
        except Exception as e:  # whatever it was, it is a fault that the test must see
            self.faults.append(f"session {number}: {e!r}")

    async def lateness(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.own = max(self.own, time.monotonic() - before - 0.01)

    async def answer_window(self):
        before, end = list(self.done), time.monotonic() + CAUGHT_UP_S
        while not self.faults and any(a >= b for a, b in zip(before, self.done)):
            if time.monotonic() > end:
                self.faults.append("sessions that did nothing: %s" % [i for i, n in enumerate(self.done) if n == before[i]])
            await asyncio.sleep(0.02)
        print(json.dumps({"done": sum(self.done), "pause_ms": round(self.pause * 1000), "own_ms": round(self.own * 1000),
                          "faults": self.faults}), flush=True)
        self.pause = self.own = 0

    async def run(self):
        kinds = [(self.imap, IMAP), (self.pop3, POP3), (self.smtp, SMTP)]
        steps = [kind(i) for kind, n in kinds for i in range(n)]
        tasks = [asyncio.create_task(self.live(i, s)) for i, s in enumerate(steps)]
        tasks.append(asyncio.create_task(self.lateness()))
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            await self.answer_window()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(Sessions(int(sys.argv[1]), sys.argv[2], sys.argv[3]).run())
