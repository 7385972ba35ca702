"""Figures of a running server: /metrics against what was really done, over the death of a role; stats; top; who may read
and who may write. The text is read by a strict parser of Prometheus's format (0.0.4), which stands here."""
import fcntl, http.client, imaplib, json, os, pathlib, pty, re, select, signal, socket, struct, subprocess, termios, time

import pytest

from server import PASSWORD, PROGRAM, ROOT, Server

MAIL = "Subject: {0}\r\n\r\nbody of {0}\r\n"
FIGURE = re.compile(r'FIGURE\((\w+), (\w+), (\w+), (\w+), (\w+), (\w+),\s*"(\w+)",\s*((?:"[^"]*"\s*)+)\)')
LABELS = re.compile(r'LABELS\((\w+), "(\w*)",\s*((?:"\w*"[,\s]*)+)\)')


def table():
    """[(id, kind, unit, who, first, second, name, help)] of figures.def."""
    rows = [(*m[:7], "".join(re.findall(r'"([^"]*)"', m[7]))) for m in FIGURE.findall((ROOT / "src/base/figures.def").read_text())]
    assert len(rows) > 50
    return rows


def label_sets():
    return {m[0]: (m[1], re.findall(r'"(\w*)"', m[2])) for m in LABELS.findall((ROOT / "src/base/figures.def").read_text())}


# ---- the format

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'^({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\[\\"n])*",?)*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$')


def parse(text):
    """{name: (type, {frozenset of labels: value})}; histograms have the labels' le too. Fails where it is not the format."""
    assert text.endswith("\n")
    families, family, seen = {}, None, set()
    for line in text[:-1].split("\n"):
        if found := re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line):
            assert found[1] not in families, line
            family = found[1]
            families[family] = [None, {}]
            continue
        if found := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
            assert found[1] == family and families[family][0] is None, line
            families[family][0] = found[2]
            continue
        found = SAMPLE.match(line)
        assert found, line
        name, labels, value = found[1], re.findall(rf'({NAME})="((?:[^"\\]|\\.)*)"', found[2] or ""), found[3]
        assert len({k for k, _ in labels}) == len(labels), line
        kind = families[family][0]
        suffix = name[len(family):]
        assert name.startswith(family) and suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",)), line
        key = (suffix, frozenset(labels))
        assert (family, key) not in seen, line
        seen.add((family, key))
        families[family][1][key] = float(value)
    for name, (kind, samples) in families.items():
        assert kind, name
        if kind == "counter":
            assert name.endswith("_total") and all(v >= 0 for v in samples.values()), name
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    series = {}
    for (suffix, labels), value in samples.items():
        rest = frozenset((k, v) for k, v in labels if k != "le")
        series.setdefault(rest, {"le": {}})
        if suffix == "_bucket":
            series[rest]["le"][float(dict(labels)["le"])] = value
        else:
            assert "le" not in dict(labels)
            series[rest][suffix] = value
    for rest, one in series.items():
        bounds = sorted(one["le"])
        counts = [one["le"][b] for b in bounds]
        assert bounds[-1] == float("inf") and counts == sorted(counts), (name, rest)
        assert counts[-1] == one["_count"] and one["_sum"] >= 0, (name, rest)
        assert bounds[0] == 0.00001 and bounds[-2] == 10


def get(server, path="/metrics", method="GET"):
    client = http.client.HTTPConnection("127.0.0.1", server.metrics, timeout=20)
    client.request(method, path)
    answer = client.getresponse()
    body = answer.read().decode()
    client.close()
    return answer, body


class Scrape:
    def __init__(self, server):
        time.sleep(0.25)  # the board is brought up to date each 100 ms
        answer, body = get(server)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        self.families = parse(body)

    def sum(self, name, suffix="", **labels):
        want = set(labels.items())
        kind, samples = self.families["hongyan_" + name]
        found = [v for (s, k), v in samples.items() if s == suffix and want <= set(k)]
        assert found, (name, labels)
        return sum(found)


class Since:
    """What was counted since another scrape."""
    def __init__(self, server):
        self.server, self.before = server, Scrape(server)

    def now(self):
        self.after = Scrape(self.server)
        return self

    def __call__(self, name, suffix="", **labels):
        return self.after.sum(name, suffix, **labels) - self.before.sum(name, suffix, **labels)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def server():
    port = free_port()
    with Server(options=f'port_metrics = {port}\nmetrics_listen = {{"127.0.0.1"}}\nfronts = 2\nplain_login = "loopback"') as one:
        one.metrics = port
        yield one


# ---- what is there

def test_every_figure_is_told(server):
    """Each row of the table with each of its labels, of the roles that have it; and nothing else."""
    families, sets = Scrape(server).families, label_sets()
    roles = {"store": [("store", "0")], "front": [("mx", "1"), ("user", "2"), ("user", "3")]}
    assert set(families) == {"hongyan_" + row[6] for row in table()} | {"hongyan_build_info", "hongyan_start_time_seconds"}
    for _, kind, unit, who, first, second, name, _ in table():
        got_kind, samples = families["hongyan_" + name]
        assert got_kind == {"COUNTER": "counter", "GAUGE": "gauge", "TIMES": "histogram"}[kind], name
        of = {"BY_STORE": roles["store"], "BY_FRONTS": roles["front"]}.get(who, roles["store"] + roles["front"])
        want = set()
        for role, number in of:
            for a in sets[first][1]:
                for b in sets[second][1]:
                    labels = {"role": role, "number": number, sets[first][0]: a, sets[second][0]: b}
                    labels.pop("", None)
                    want.add(frozenset(labels.items()))
        suffix = "_count" if kind == "TIMES" else ""
        assert {k for s, k in samples if s == suffix} == want, name


def test_documentation_has_the_table():
    text = (ROOT / "docs/OPERATING.md").read_text()
    for _, kind, _, _, first, second, name, words in table():
        assert f"| {name} | {kind.lower()} |" in text and words in text, name
    assert len(re.findall(r"^\| \w+ \| (?:counter|gauge|times) \|", text, re.M)) == len(table())


# ---- exact counts

def test_mail_is_counted(server):
    since = Since(server)
    for i in range(7):
        server.deliver(MAIL.format(i), to=("alice", "bob") if i < 2 else ("alice",))
    with server.smtp() as client:
        client.ehlo()
        client.mail("x@elsewhere.test")
        for nobody in ("nobody", "none"):
            assert client.rcpt(server.address(nobody))[0] == 550
        assert client.rcpt("x@elsewhere.test")[0] == 550
    with server.smtp("lmtp") as client:
        client.sendmail("x@elsewhere.test", [server.address("bob")], MAIL.format("l"))
    since.now()
    assert since("smtp_messages_total", verdict="accepted") == 8
    assert since("smtp_messages_total", verdict="refused") == since("smtp_messages_total", verdict="deferred") == 0
    assert since("smtp_recipients_total", verdict="accepted") == 10
    assert since("smtp_recipients_total", verdict="refused") == 3
    assert since("connections_total", proto="smtp") == 8 and since("connections_total", proto="lmtp") == 1
    assert since("connections_total", role="user", proto="smtp") == 0
    assert since("smtp_deliver_seconds", "_count") == 8 and 0 < since("smtp_deliver_seconds", "_sum") < 100
    assert since("ipc_requests_total", verb="deliver") == 8 and since("ipc_requests_total", verb="resolve") == 13
    assert since("store_request_seconds", "_count") == since("ipc_request_seconds", "_count") == since("ipc_requests_total")
    assert since("store_jobs_total") >= 8 and since("store_commit_seconds", "_count") == since("store_jobs_total")
    assert 1 <= since("store_batches_total") <= since("store_jobs_total")
    assert since("store_flush_seconds", "_count") >= 1
    assert since("log_written_bytes_total") > 8 * 100
    assert since("log_bodies") == 8
    assert since("sessions") == 0
    for waiting in ("store_writer_queue", "store_requests_in_flight", "store_workers_busy", "ipc_requests_in_flight",
                    "arena_chunks_used", "room_used_bytes", "password_queue"):
        assert since.after.sum(waiting) == 0, waiting
    # EHLO, MAIL, RCPT…, DATA, QUIT of each
    assert since("smtp_commands_total") == 7 * 5 + 2 + (1 + 1 + 3 + 1) + 5


def test_imap_is_counted(server):
    server.deliver(MAIL.format("imap"))
    since = Since(server)
    first, second = server.imap(), server.imap("bob")
    first.select()
    for _ in range(5):
        first.fetch("1", "(FLAGS BODY.PEEK[])")
    first.store("1", "+FLAGS", "\\Seen")
    first.uid("SEARCH", "ALL")
    first.append("INBOX", None, None, MAIL.format("appended").encode())
    first.create("Box")
    first.copy("1", "Box")
    first.list()
    first.noop()
    since.now()
    assert since("sessions", proto="imaps") == 2
    for name, n in {"login": 2, "select": 1, "fetch": 5, "store": 1, "search": 1, "append": 1, "folder": 1, "copy": 1, "list": 1,
                    "expunge": 0}.items():
        assert since("imap_command_seconds", "_count", **{"class": name}) == n, name
    assert since("tls_handshakes_total", outcome="ok") == 2 and since("tls_handshakes_total", outcome="failed") == 0
    assert since("logins_total", proto="imaps", outcome="ok") == 2 and since("logins_total") == 2
    assert since("ipc_requests_total", verb="login") == 2
    assert since("password_hashes_total") + since("password_cache_hits_total") == 2
    first.logout()
    second.logout()
    since.now()
    assert since("sessions") == 0
    assert since("imap_command_seconds", "_count", **{"class": "other"}) >= 3  # NOOP, two LOGOUTs, CAPABILITY of the library


def test_failures_are_counted(server):
    since = Since(server)
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    with pytest.raises(imaplib.IMAP4.error):
        client.login(server.address(), "wrong")
    client.shutdown()
    raw = socket.create_connection(("127.0.0.1", server.port("imaps")))
    raw.sendall(b"no TLS at all\r\n\r\n")
    try:
        raw.recv(100)
    except ConnectionResetError:
        pass
    raw.close()
    pop = server.pop3()
    count = len(pop.list()[1])
    for i in range(3):
        pop.retr(i + 1)
    pop.quit()
    assert count >= 3
    for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "HEAD", 200)):
        answer, body = get(server, path, method)
        assert answer.status == status and (status != 405 or answer.headers["Allow"] == "GET, HEAD")
        assert method != "HEAD" or (body == "" and int(answer.headers["Content-Length"]) > 10000)
    since.now()
    assert since("logins_total", proto="imap", outcome="wrong") == 1 and since("logins_total", proto="pop3s", outcome="ok") == 1
    assert since("password_failures_total") == 1
    assert since("tls_handshakes_total", outcome="failed") == 1
    assert since("pop3_messages_total") == 3
    assert since("pop3_command_seconds", "_count") == 2 + 1 + 3 + 1
    assert since("connections_total", proto="metrics") in (3, 4, 5)  # with or without the two scrapes themselves


def test_crowds_are_counted(server, fresh):
    port = free_port()
    one = fresh(options=f"sessions_ip_max = 3\nfronts = 1\nport_metrics = {port}\n").start()
    one.metrics = port
    since = Since(one)
    held = [socket.create_connection(("127.0.0.1", one.port("imap"))) for _ in range(5)]
    said = [s.recv(200) for s in held]
    assert sum(b"Too many" in line for line in said) == 2
    for s in held:
        s.close()
    since.now()
    assert since("connections_refused_total", proto="imap", why="address") == 2
    assert since("connections_refused_total") == 2


# ---- roles that die

def test_counters_outlive_roles(server):
    since = Since(server)
    held = server.imap()
    for role in ("user", "mx", "store"):
        at = server.log.stat().st_size
        pids = server.roles()[role]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        server.wait_log("role.died", at)
        end = time.monotonic() + 30
        while len(server.roles().get(role, [])) < len(pids):
            assert time.monotonic() < end
            time.sleep(0.05)
    end = time.monotonic() + 30
    while True:  # until all serve again
        try:
            since.now()
            server.deliver(MAIL.format("again"))
            if since.after.sum("role_up") == 4:
                break
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.2)
    since.now()
    before, after = since.before.families, since.after.families
    for name, (kind, samples) in before.items():
        for key, value in samples.items():
            if kind != "gauge":
                assert after[name][1][key] >= value, (name, key)
    assert since("role_starts_total") == 4 and since("role_starts_total", role="user") == 2
    assert since("logins_total", proto="imaps", outcome="ok") == 1  # of a front that died since
    assert since("smtp_messages_total", verdict="accepted") >= 1
    assert since.after.sum("sessions", proto="imaps") == 0  # nobody's any more
    assert since.after.sum("role_hangs_total") == 0
    held.shutdown()


def test_a_role_that_is_away_is_seen(server):
    """Each death makes the pause before the next start longer, until a scrape falls into it."""
    since, end, seen = Since(server), time.monotonic() + 30, None
    while not seen:
        assert time.monotonic() < end
        for pid in server.roles().get("mx", []):
            os.kill(pid, signal.SIGKILL)
        scrape = Scrape(server)
        if scrape.sum("role_up", role="mx") == 0 and scrape.sum("role_age_seconds", role="mx") == 0:
            seen = scrape
    assert seen.sum("role_resident_bytes", role="mx") == 0 and seen.sum("fibers", role="mx") == 0
    while since.now().after.sum("role_up") < 4:
        assert time.monotonic() < end
    assert since("role_starts_total", role="mx") >= 1 and since("role_cpu_seconds_total", role="mx") >= 0


# ---- stats

def test_stats_as_json(server):
    server.deliver(MAIL.format("stats"))
    time.sleep(1.25)  # the master looks at memory each second
    o = json.loads(server.run("--json", "stats"))
    assert set(o) == {"hostname", "version", "up_s", "roles", "figures"} and o["hostname"] == "localhost"
    assert {(r["role"], r["number"]) for r in o["roles"]} == {("store", 0), ("mx", 1), ("user", 2), ("user", 3)}
    assert {r["pid"] for r in o["roles"]} == {pid for pids in server.roles().values() for pid in pids}
    assert all(r["up"] and r["resident_bytes"] > 1 << 20 and r["starts"] >= 1 for r in o["roles"])
    assert set(o["figures"]) == {row[6] for row in table() if row[3] != "BY_MASTER"}
    scraped = Scrape(server)
    for name in ("smtp_messages_total", "smtp_recipients_total", "pop3_messages_total", "store_jobs_total"):
        assert o["figures"][name]["total"] == scraped.sum(name), name
    assert o["figures"]["smtp_messages_total"]["by"]["accepted"] == scraped.sum("smtp_messages_total", verdict="accepted")
    assert o["figures"]["logins_total"]["by"]["imap wrong"] == scraped.sum("logins_total", proto="imap", outcome="wrong")
    commits = o["figures"]["store_commit_seconds"]
    assert commits["count"] == scraped.sum("store_commit_seconds", "_count")
    assert 0 < commits["p50_s"] <= commits["p99_s"] <= 10 and commits["mean_s"] > 0
    assert json.loads(server.run("--json", "top"))["hostname"] == "localhost"


def test_stats_as_text(server):
    said = server.run("stats")
    for name in (row[6] for row in table() if row[3] != "BY_MASTER"):
        assert re.search(rf"^  {name} +\S", said, re.M), name
    for role in ("store", "front mx 1", "front user 2", "front user 3"):
        assert re.search(rf"^  {role} ", said, re.M)
    assert max(map(len, said.splitlines())) < 100


@pytest.mark.parametrize("lang,words", [("C", "no server runs here"), ("zh_CN.UTF-8", "没有服务器在运行")])
@pytest.mark.parametrize("command", ["stats", "top"])
def test_stopped_server(fresh, command, lang, words):
    one = fresh()
    done = subprocess.run([PROGRAM, "-c", one.conf, command], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": lang})
    assert done.returncode == 1 and words in done.stderr and not done.stdout
    done = subprocess.run([PROGRAM, "-c", one.conf, "--json", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and json.loads(done.stderr)["code"] == "notfound"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may be somebody else")
@pytest.mark.parametrize("command", ["stats", "top"])
def test_who_may_not_ask(server, command):
    """He is not told that no server runs."""
    server.folder.chmod(0o711)
    server.dir.chmod(0o711)
    server.conf.chmod(0o644)
    try:
        done = subprocess.run([PROGRAM, "-c", server.conf, command], user=65534, capture_output=True, text=True, timeout=60)
    except PermissionError:
        pytest.skip("the program lies where nobody else may run it")
    assert done.returncode == 1 and "may not ask the server" in done.stderr, done


def test_metrics_are_off_by_default(fresh):
    one = fresh()
    assert re.search(rf"^# port_metrics = {one.base + 9154}$", one.conf.read_text(), re.M)
    assert json.loads(one.run("--json", "config", "print"))["port_metrics"] == 0
    one.start()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", one.base + 9154), 5)
    assert json.loads(one.run("--json", "stats"))["roles"]


# ---- top

def screen(octets, columns, lines):
    """What a terminal shows after these octets: the few sequences that top uses, any other is a fault."""
    rows, y, x, i = [[" "] * columns for _ in range(lines)], 0, 0, 0
    text = octets.decode()
    while i < len(text):
        found = re.match(r"\x1b\[(\?1049[hl]|\?25[hl]|H|K|J|[0-9;]*m)", text[i:])
        if text[i] == "\x1b":
            assert found, text[i:i + 20]
            if found[1] == "H":
                y = x = 0
            elif found[1] == "K":
                rows[y][x:] = [" "] * (columns - x)
            elif found[1] == "J":
                rows[y][x:] = [" "] * (columns - x)
                rows[y + 1:] = [[" "] * columns for _ in rows[y + 1:]]
            i += found.end()
            continue
        if text[i] == "\n":
            y, x = y + 1, 0
            assert y < lines, "it scrolled"
        elif text[i] != "\r":
            assert x < columns, "a line is too wide"
            rows[y][x] = text[i]
            x += 1
        i += 1
    return ["".join(row).rstrip() for row in rows]


class Top:
    """hongyan top on a terminal of its own."""
    def __init__(self, server, columns=80, lines=24, **env):
        self.columns, self.lines, self.seen = columns, lines, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"LC_ALL": "C", **env})
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execv(PROGRAM, [PROGRAM, "-c", str(server.conf), "top"])
        self.before = None

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                got = os.read(self.fd, 65536)
            except OSError:
                break
            if not got:
                break
            self.seen += got
        return self

    def rows(self):
        return screen(self.seen, self.columns, self.lines)

    def end(self, key=None, sig=None):
        """Ends it; its exit code. The terminal is what it was: its own screen left, cursor shown, keys echoed."""
        if key:
            os.write(self.fd, key)
        if sig:
            os.kill(self.pid, sig)
        self.read(5)
        end = time.monotonic() + 5
        while (done := os.waitpid(self.pid, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.02)
        if not done[0]:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        assert done[0], "it goes on"
        code = os.waitstatus_to_exitcode(done[1])
        os.close(self.fd)
        assert self.seen.count(b"\x1b[?1049h") == self.seen.count(b"\x1b[?1049l") == 1
        assert self.seen.rstrip().endswith(b"\x1b[?25h\x1b[?1049l") or code
        return code

    def flags(self):
        return termios.tcgetattr(self.fd)[3]


def test_top_on_a_terminal(server):
    top = Top(server)
    was = top.flags()
    top.read(1)
    assert not top.flags() & (termios.ECHO | termios.ICANON) and was & termios.ECHO
    for i in range(30):
        server.deliver(MAIL.format(i))
    top.read(3)
    rows = top.rows()
    text = "\n".join(rows)
    assert rows[0].split()[:2] == ["Hongyan", "localhost"] and " up " in rows[0]
    for role in ("store", "front mx 1", "front user 2", "front user 3"):
        assert re.search(rf"^  {role} +[0-9.]+% +[0-9.]+ MB ", text, re.M), role
    stored = re.search(r"^  mail +stored +([0-9.]+)/s", text, re.M)
    assert stored and float(stored[1]) > 0, text
    assert re.search(r"^  flush +p50 +[0-9.]+ (?:µs|ms)  p99 ", text, re.M), text
    assert "q ends" in text
    # the terminal is made wider
    fcntl.ioctl(top.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    os.kill(top.pid, signal.SIGWINCH)
    top.seen = top.seen[:top.seen.index(b"\x1b[?25l") + 6]
    top.columns, top.lines = 120, 40
    top.read(2.5)
    assert max(map(len, top.rows())) > 90
    os.write(top.fd, b"x")  # any other key
    top.read(0.5)
    assert top.end(b"q") == 0


@pytest.mark.parametrize("key,sig", [(b"q", None), (b"\x03", None), (None, signal.SIGTERM), (None, signal.SIGINT)])
def test_top_ends(server, key, sig):
    top = Top(server).read(1)
    assert top.rows()[0].split()[0] == "Hongyan"
    assert top.end(key, sig) == 0


@pytest.mark.parametrize("columns,lines", [(50, 40), (80, 10), (40, 10)])
def test_top_says_what_is_cut(server, columns, lines):
    top = Top(server, columns, lines)
    rows = [row for row in top.read(2).rows() if row]
    assert rows[0].startswith("  Hongyan") and rows[-1] == "  the window is too small; q ends", rows
    assert top.end(b"q") == 0
    top = Top(server, 80, 40)
    assert "too small" not in "\n".join(top.read(2).rows())
    assert top.end(b"q") == 0


def test_top_speaks_chinese(server):
    top = Top(server, LC_ALL="zh_CN.UTF-8").read(2)
    text = top.seen.decode()
    assert "鸿雁" in text and "刷盘" in text and "按 q 退出" in text
    assert top.end(b"q") == 0


def test_top_in_a_pipe(server):
    said = server.run("top")
    assert "\x1b" not in said and "q ends" not in said
    assert said.startswith("  Hongyan ") and re.search(r"^  store +[0-9.]+%", said, re.M)
    assert max(map(len, said.splitlines())) <= 80


def test_top_notices_the_end_of_the_server(fresh):
    one = fresh().start()
    top = Top(one).read(1)
    one.stop()
    top.read(8)
    assert top.end() == 1
    assert b"the server has stopped" in top.seen


# ---- who may

def test_roles_write_to_their_own_page_alone(server):
    """Each role has one page that it can write to, no two the same; the board is mapped for reading, by user fronts."""
    if os.geteuid() != 0:
        pytest.skip("only root may look at other processes' maps")
    pages = {}
    for role, pids in server.roles().items():
        for pid in pids:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
            own = [line.split() for line in maps if "memfd:hongyan-figures" in line]
            board = [line.split() for line in maps if "memfd:hongyan-board" in line]
            assert [m[1] for m in own] == ["rw-s"], (role, own)
            assert own[0][4] not in pages.values()
            pages[pid] = own[0][4]  # the inode
            assert [m[1] for m in board] == (["r--s"] if role == "user" else []), (role, board)
            left = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
            assert not [name for name in left if "hongyan-figures" in name or "hongyan-board" in name], role
    assert len(pages) == 4


def test_strangers_get_no_figures(server):
    path = server.dir / "run" / "figures"
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o600
    if os.geteuid() == 0:
        code = ("import os, socket, sys; os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
                "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])")
        done = subprocess.run(["/usr/bin/python3", "-c", code, str(path)], capture_output=True, text=True)
        assert "PermissionError" in done.stderr


def test_half_requests_cost_nothing(server):
    """Clients that say half a request and wait are there, and the others are served."""
    held = [socket.create_connection(("127.0.0.1", server.metrics)) for _ in range(50)]
    for i, s in enumerate(held):
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"[: i % 32])
    since = Scrape(server)
    assert since.sum("sessions", proto="metrics") in (50, 51)  # itself may be too new to be told
    for s in held:
        s.sendall(b"\r\n" * 3)
        s.close()
    time.sleep(0.5)
    assert Scrape(server).sum("sessions", proto="metrics") <= 1
