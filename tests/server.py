"""server — starts a Hongyan of its own for tests: a fresh installation, free ports on loopback, users, logs.

Ends by pid what it started. Standard library only.
"""
import contextlib, os, pathlib, random, shutil, signal, socket, ssl, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("HONGYAN", str(ROOT / "build" / "hongyan"))
CONF = os.environ.get("HONGYAN_CONF", "")  # lines for every server's configuration
PORTS = {"smtp": 25, "lmtp": 24, "submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110,
         "pop3s": 995}
PASSWORD = "pass word 7"


def free_base():
    """A port base under which every service's port is free now, below the ports that connections get by themselves."""
    for _ in range(200):
        base = random.randrange(10000, 31000)
        try:
            for port in PORTS.values():
                with socket.socket() as s:
                    s.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


def kill_each(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Server:
    def __init__(self, folder=None, domain="example.test", options="", users=("alice", "bob")):
        self.owned = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="hongyan-"))
        self.domain = domain
        self.base = free_base()
        self.dir = self.folder / "mail"
        self.conf = self.dir / "hongyan.conf"
        self.ca = self.dir / "tls" / "ca.pem"
        self.log = self.folder / "log"
        self.process = None
        self.run("init", str(self.dir), "--domain", domain, "--port-base", str(self.base), "--listen", "127.0.0.1",
                 "--hostname", "localhost", conf=False)
        with open(self.conf, "a") as f:
            f.write('disk_reserve = "64M"\n' + options + "\n" + CONF + "\n")
        for user in users:
            self.add_user(user)

    def run(self, *words, conf=True, input=None, check=True):
        """Runs the program; its standard output. Fails with its words where it fails (unless check is False: the result)."""
        command = [PROGRAM, *(["-c", str(self.conf)] if conf else []), *words]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout if check else done

    def add_user(self, user, *options):
        self.run("user", "add", f"{user}@{self.domain}", "--password-stdin", *options, input=PASSWORD + "\n")

    def start(self):
        self.log_file = open(self.log, "ab")
        at = self.log.stat().st_size
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.conf), "serve"], stderr=self.log_file,
                                        stdout=self.log_file)
        self.wait_log("server.ready", at)
        return self

    def log_text(self, at=0):
        return self.log.read_bytes()[at:].decode(errors="replace")

    def wait_log(self, event, at=0, seconds=60):
        """Waits for a log line behind octet `at` that holds `event`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if event in self.log_text(at):
                return
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_text()[-3000:]}")
            time.sleep(0.02)
        raise AssertionError(f"no {event} within {seconds} s:\n{self.log_text()[-3000:]}")

    def roles(self):
        """{"store": [pid], "mx": [pid], "user": [pids]} of the running server."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            if parent == self.process.pid and len(words) > 2 and words[1] == b"--role":
                found.setdefault(words[2].decode(), []).append(int(entry.name))
        return found

    def kill_role(self, role, choose=random.choice):
        """kill -9 of one process of a role."""
        victims = self.roles().get(role)
        if victims:
            kill_each([choose(victims)])

    def kill_all(self, roles=True):
        """kill -9 of the master and of every role; without `roles` these end by themselves, within 10 s."""
        pids = [pid for pids in self.roles().values() for pid in pids]
        kill_each([self.process.pid, *(pids if roles else [])])
        self.process.wait()
        end = time.monotonic() + 10
        while any(os.path.exists(f"/proc/{pid}") for pid in pids):
            if time.monotonic() > end:
                kill_each(pids)
                raise AssertionError("a role outlives its master")
            time.sleep(0.01)
        self.process = None
        self.log_file.close()

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the server did not end within 15 s")
        code = self.process.returncode if self.process else 0
        self.process = None
        self.log_file.close()
        return code

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log_file.close()
        if self.owned:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            if self.process:
                self.stop()
        finally:
            self.close()

    def port(self, service):
        return self.base + PORTS[service]

    def tls(self):
        return ssl.create_default_context(cafile=str(self.ca))

    def address(self, user="alice"):
        return f"{user}@{self.domain}"

    # ---- the standard library's clients

    def imap(self, user="alice", login=True):
        import imaplib
        client = imaplib.IMAP4_SSL("localhost", self.port("imaps"), ssl_context=self.tls(), timeout=30)
        if login:
            client.login(self.address(user), PASSWORD)
        return client

    def pop3(self, user="alice"):
        import poplib
        client = poplib.POP3_SSL("localhost", self.port("pop3s"), context=self.tls(), timeout=30)
        client.encoding = "utf-8"
        client.user(self.address(user))
        client.pass_(PASSWORD)
        return client

    def smtp(self, service="smtp"):
        import smtplib
        kind = smtplib.LMTP if service == "lmtp" else smtplib.SMTP
        return kind("localhost", self.port(service), timeout=30)

    def submit(self, user="alice"):
        import smtplib
        client = smtplib.SMTP("localhost", self.port("submission"), timeout=30)
        client.starttls(context=self.tls())
        client.ehlo()
        client.login(self.address(user), PASSWORD)
        return client

    def deliver(self, text, to=("alice",), sender="sender@elsewhere.test"):
        with self.smtp() as client:
            return client.sendmail(sender, [self.address(u) for u in to], text)
