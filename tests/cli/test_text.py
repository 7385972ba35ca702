"""The command line in both languages: texts of the code against src/main/text.def, every --help, what goes wrong typically.

Log lines, --json and the stories in brackets are English whatever the environment says.
"""
import json, os, re, socket, subprocess, time

import pytest

from server import PROGRAM, ROOT, free_base

MAIN = ROOT / "src/main"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LANGUAGES = {"en": {"LC_ALL": "C"}, "zh": {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}}
CALLS = "text_of|T|cli_say|cli_fail|cli_fail_as|cli_progress_begin"  # what takes a text of the table, as its first literal


def run(*words, lang="en", input="", code=0, cwd="/"):
    done = subprocess.run([PROGRAM, *map(str, words)], input=input, capture_output=True, text=True, timeout=120, cwd=cwd,
                          env={**os.environ, **LANGUAGES[lang]})
    assert done.returncode == code, (words, done)
    return done


# ---- the code against the table

def literals(path):
    """(the source with §N§ in place of its N-th text, the texts): neighbouring literals are one text."""
    source = path.read_text()
    source = re.sub(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/|^#include.*?$', lambda m: m.group(1) or " ", source,
                    flags=re.S | re.M)
    found = []

    def take(match):
        pieces = re.findall(r'"((?:\\.|[^"\\])*)"', match.group())
        found.append("".join(pieces).replace('\\"', '"'))
        return f"§{len(found) - 1}§"
    return re.sub(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*', take, source), found


def says_something(text):
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"%[-+ 0-9.*]*(?:ll|z)?[a-zA-Z]", "", text)))


def table():
    marked, texts = literals(MAIN / "text.def")
    return {texts[int(e)] for e, _ in re.findall(r"TEXT\(\s*§(\d+)§,\s*§(\d+)§\s*\)", marked)}


def sources():
    return [p for p in sorted(MAIN.glob("*.c")) if not p.stem.endswith("_test")]


def test_every_text_has_its_chinese():
    pairs, missing = table(), []
    assert len(pairs) > 100
    for path in sources():
        marked, texts = literals(path)
        marked = re.sub(r"\s+", " ", marked)
        for call, number in [*re.findall(rf"\b({CALLS})\((?:[^§;]*?, ?)?§(\d+)§", marked),
                             *re.findall(r"\b(complain)\([^;]*§(\d+)§\);", marked)]:
            text = texts[int(number)]
            if says_something(text) and text not in pairs:
                missing.append(f"{path.name}: {call}({text!r})")
    assert not missing, "\n".join(missing)


def test_every_pair_is_used():
    used = {text for path in sources() for text in literals(path)[1]}
    assert not table() - used


def test_what_people_see_goes_through_the_table():
    """Nothing that speaks is printed around it."""
    around = []
    for path in sources():
        marked, texts = literals(path)
        for call, number in re.findall(r"\b(f?printf|fputs|puts)\((?:[^§;()]*?, ?)?§(\d+)§", re.sub(r"\s+", " ", marked)):
            text = texts[int(number)]
            machine = path.name == "main.c" or text.startswith((".", "{\\", "{", "  hongyan", "hongyan"))
            if says_something(text) and not machine:
                around.append(f"{path.name}: {call}({text!r})")
    assert not around, "\n".join(around)


# ---- help

def commands():
    """("user", "add"), ("serve",) … as the help lists them."""
    rows = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?: .*)?\n      \S", run("--help").stdout, flags=re.M)
    assert len(rows) >= 19
    return [tuple(row.split()) for row in rows]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help(lang):
    for words in [(), *commands(), *{(c[0],) for c in commands() if len(c) == 2}]:
        said = run(*words, "--help", lang=lang).stdout
        for line in said.splitlines():
            speaks = re.match(r" {6}\S|[^ \-]", line)
            if lang == "en":
                assert not CHINESE.search(line.replace("鸿雁", "")), line
            elif speaks and line and not line.startswith("usage"):
                assert CHINESE.search(line), (words, line)


def test_help_of_both_says_the_same():
    for words in commands():
        english, chinese = (run(*words, "--help", lang=lang).stdout for lang in ("en", "zh"))
        assert re.findall(r"^  (--[a-z0-9-]+)", english, re.M) == re.findall(r"^  (--[a-z0-9-]+)", chinese, re.M)
        assert english.count("\n") == chinese.count("\n")
        assert re.findall(r"^  (?:echo|hongyan).*", english, re.M) == re.findall(r"^  (?:echo|hongyan).*", chinese, re.M)


def test_version_is_one():
    version = re.search(r"version: '(.*?)'", (ROOT / "meson.build").read_text()).group(1)
    assert run("--version").stdout == f"hongyan {version}\n"
    named = [p.name for p in (ROOT / "src").glob("*/*.[ch]") if f'"{version}"' in p.read_text()]
    assert not named, named


# ---- an installation, and what goes wrong

@pytest.fixture(scope="module", params=list(LANGUAGES))
def place(request, tmp_path_factory):
    """(language, folder of an installation made in it)"""
    folder = tmp_path_factory.mktemp(request.param) / "mail"
    said = run("init", folder, "--domain", "example.test", "--port-base", free_base(), "--listen", "127.0.0.1",
               "--hostname", "localhost", lang=request.param).stdout
    check(said, request.param)
    assert f"hongyan -c {folder}/hongyan.conf serve" in said
    for words in (("user", "add", "second@example.test", "--no-password"), ("domain", "add", "alias.test", "--alias-of", "example.test")):
        run("-c", folder / "hongyan.conf", *words, lang=request.param)
    return request.param, folder


def check(said, lang):
    assert said.strip()
    for line in said.strip().splitlines():
        if line and not line.startswith(" "):
            assert bool(CHINESE.search(re.sub(r"\[.*\]", "", line))) == (lang == "zh"), line


# what is typed after -c FILE, standard input, exit code, English words
MISTAKES = [
    ("user add a@nowhere.test --password-stdin", "x\n", 1, "is not kept here"),
    ("user add postmaster@example.test --password-stdin", "x\n", 1, "exists already"),
    ("user add a@example.test", "", 1, "no terminal"),
    ("user add a@example.test --password-stdin", "\n", 1, "is empty"),
    ("user add a@example.test --password-stdin", "a\tb\n", 1, "not every device"),
    ("user add a@example.test --password-stdin", "x" * 600 + "\n", 1, "too long"),
    ("user add a@example.test --quota much --no-password", "", 2, "not a number"),
    ("user add a\u200e@example.test --no-password", "", 1, "not a valid name"),
    ("user set nobody@example.test --imap off", "", 1, "does not exist"),
    ("user set postmaster@example.test --imap maybe", "", 2, "is on or off"),
    ("user set postmaster@example.test --pop3-retr burn", "", 2, "keep, delete or archive"),
    ("user set postmaster@example.test", "", 2, "nothing to change"),
    ("user remove postmaster@example.test", "", 1, "owns postmaster"),
    ("user rename x", "", 2, "no such command"),
    ("user", "", 2, "a word is missing"),
    ("usr", "", 2, "did you mean user"),
    ("quixotic", "", 2, "no such command"),
    ("quixotic --help", "", 2, "no such command"),
    ("--colour user list", "", 2, "unknown option --colour"),
    ("user add", "", 2, "a word is missing"),
    ("user add a@example.test b@example.test", "", 2, "one word too many: b@example.test"),
    ("user add x --colour", "", 2, "unknown option"),
    ("user add x --quota", "", 2, "needs a value"),
    ("user add postmaster@example.test", "", 1, "exists already"),
    ("user add x@example.test --no-password --password-stdin", "x\n", 2, "exclude each other"),
    ("user list -c", "", 2, "-c needs a value"),
    ("-c", "", 2, "-c needs a value"),
    ("domain remove example.test", "", 1, "still has users"),
    ("domain remove nowhere.test", "", 1, "does not exist"),
    ("domain add b.test --alias-of nowhere.test", "", 1, "--alias-of does not"),
    ("domain add b.test --alias-of alias.test", "", 1, "an alias itself"),
    ("user add a@alias.test --no-password", "", 1, "is an alias of another"),
    ("alias add x@example.test nobody@example.test", "", 1, "one of the targets"),
    ("alias remove x@example.test", "", 1, "does not exist"),
    ("postmaster nobody@example.test", "", 1, "does not exist"),
    ("import /nowhere.mbox --user postmaster@example.test", "", 1, "nothing is in"),
    ("import /nowhere.mbox --user postmaster@example.test --skip x", "", 2, "--skip needs a number"),
    ("import /nowhere.mbox", "", 2, "--user ADDRESS"),
    ("export /tmp/x --user nobody@example.test", "", 1, "does not exist"),
    ("init x", "", 2, "--domain NAME"),
    ("init x --domain example.test --port-base many", "", 2, "up to 64000"),
    ("init x --domain example.test --listen here", "", 2, "not an IP address"),
    ("init x --domain a@example.test", "", 2, "not a domain's name"),
    ("init x --domain a..example.test", "", 2, "not a domain's name"),
    ("init x --domain example.test --hostname a\"b", "", 2, "not a host's name"),
    ("init x --domain example.test --postmaster me@elsewhere.test", "", 2, "an address of example.test"),
]


@pytest.mark.parametrize("typed,input,code,english", MISTAKES, ids=[m[0] + "-" + str(m[1][:3]) for m in MISTAKES])
def test_mistakes(place, typed, input, code, english):
    lang, folder = place
    done = run("-c", folder / "hongyan.conf", *typed.split(), lang=lang, input=input, code=code)
    first = done.stderr.splitlines()[0]
    check(first, lang)
    assert lang == "zh" or english in first, first


def test_no_configuration():
    for lang in LANGUAGES:
        said = run("-c", "/nowhere.conf", "user", "list", lang=lang, code=1).stderr
        check(said, lang)
        assert "/nowhere.conf" in said


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("text", ["colour = 1", "hostnam = \"x\"", "port_imap = 99999", "sandbox = \"maybe\"", "pop3_lock = 7",
                                  "recipients_max = \"x\"", "hostname = \"\"", "hostname = \"a b\"", "listen = {\"here\"}",
                                  "message_max = 1", "port_imap = 25", "pop3_lock = true\npop3_lock = false",
                                  "certificates = {}\ndata = \"nowhere/data\""])
def test_wrong_configuration(tmp_path, lang, text):
    (tmp_path / "c.conf").write_text(text + "\n")
    said = run("-c", tmp_path / "c.conf", "config", "check", lang=lang, code=1).stderr
    assert re.search(rf"{tmp_path}/c.conf:[12]: |{tmp_path}/c.conf[:：]", said)
    check(said.replace(str(tmp_path), ""), lang)


def test_good_days(place):
    lang, folder = place
    conf = ("-c", folder / "hongyan.conf")
    for typed, input in [("user add good@example.test --password-stdin", "pw\n"), ("user passwd good@example.test --password-stdin", "p2\n"),
                         ("user set good@example.test --pop3 off --quota 2G", ""), ("alias add al@example.test good@example.test", ""),
                         ("alias remove al@example.test", ""), ("postmaster good@example.test", ""),
                         ("postmaster postmaster@example.test", ""), ("store check", ""), ("config check", ""),
                         ("export " + str(folder / "out") + " --user good@example.test", ""),
                         ("domain add more.test", ""), ("domain remove more.test", "")]:
        check(run(*conf, *typed.split(), lang=lang, input=input).stdout, lang)
    listed = run(*conf, "user", "list", lang=lang).stdout
    check(listed, lang)
    assert listed.count("\n") == 3
    printed = run(*conf, "config", "print", lang=lang).stdout
    for line in printed.splitlines():
        if line.startswith("# "):
            assert bool(CHINESE.search(line)) == (lang == "zh"), line
    (folder / "again.conf").write_text(printed)
    run("-c", folder / "again.conf", "config", "check", lang=lang)  # what is printed can be read
    check(run(*conf, "user", "remove", "good@example.test", lang=lang).stdout, lang)


def test_json_is_english(place):
    lang, folder = place
    conf = ("-c", folder / "hongyan.conf", "--json")
    for words in (("user", "list"), ("store", "check"), ("config", "print"), ("domain", "list")):
        said = run(*conf, *words, lang=lang).stdout
        json.loads(said)
        assert not CHINESE.search(said)
    for words in (("user", "remove", "nobody@example.test"), ("user", "passwd", "nobody@example.test"), ("alias", "remove", "x")):
        done = run(*conf, *words, lang=lang, code=1)
        failed = json.loads(done.stderr)
        assert set(failed) == {"error", "code"} and not CHINESE.search(done.stderr) and not done.stdout
    assert json.loads(run(*conf, "user", "remove", "nobody@example.test", code=1).stderr)["code"].lower() == "notfound"


def test_serve(place):
    """What stops it from starting is said in the language; its log lines are English."""
    lang, folder = place
    conf = ("-c", str(folder / "hongyan.conf"))
    taken = socket.socket()
    port = int(re.search(r"port_imap = (\d+)", (folder / "hongyan.conf").read_text()).group(1))
    taken.bind(("127.0.0.1", port))
    taken.listen()
    said = run(*conf, "serve", lang=lang, code=1).stderr
    taken.close()
    check(said.splitlines()[-1], lang)
    assert "port_imap" in said
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen([PROGRAM, *conf, "serve"], stderr=log, stdout=log, env={**os.environ, **LANGUAGES[lang]})
    try:
        wait_log(folder / "log", "server.ready")
        said = run(*conf, "serve", lang=lang, code=1).stderr
        check(said.splitlines()[-1], lang)  # another already runs
        with open(folder / "hongyan.conf", "a") as f:
            f.write("colour = 1\n")
        server.send_signal(1)
        wait_log(folder / "log", "server.reload.failed")
        conf_text = (folder / "hongyan.conf").read_text().replace("colour = 1\n", "")
        (folder / "hongyan.conf").write_text(conf_text.replace("tls/server.pem", "tls/nowhere.pem"))
        server.send_signal(1)
        wait_log(folder / "log", "nowhere.pem")
    finally:
        server.terminate()
        assert server.wait(15) == 0
    log = (folder / "log").read_text()
    assert log.count("server.reload.failed") == 2, log  # each failure once
    assert "unknown option" in log and not CHINESE.search(log), log


def wait_log(path, event):
    end = time.monotonic() + 60
    while event not in path.read_text():
        assert time.monotonic() < end, path.read_text()
        time.sleep(0.02)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_demo(tmp_path, lang):
    """What `make run` prints: the same addresses, ports and commands in both languages."""
    demo = subprocess.Popen([ROOT / "tools/run-demo"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            env={**os.environ, **LANGUAGES[lang], "DEMO": str(tmp_path / "demo")}, encoding="utf-8")
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        conf = (tmp_path / "demo/hongyan.conf").read_text()
        for name in ("imaps", "pop3s", "submissions", "smtp"):
            assert re.search(rf"port_{name} = (\d+)", conf).group(1) in said
        assert (tmp_path / "demo/password").read_text().strip() in said and "tls/ca.pem" in said
        for line in said.splitlines():
            if line.strip() and not re.match(r"\s+(swaks|curl|\"imaps:)", line):
                assert bool(CHINESE.search(line.replace("鸿雁", ""))) == (lang == "zh"), line
    finally:
        demo.terminate()
        demo.wait(30)
