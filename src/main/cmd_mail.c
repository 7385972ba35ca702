/// cmd_mail — import and export: mail in and out by hand, through the same requests as a client's APPEND and FETCH.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "front/login.h"
#include "ipc/payload.h"
#include "main/commands.h"
#include "main/file.h"
#include "main/letter.h"
#include "main/text.h"
#include "proto/mboxname.h"

enum { INLINE_CHUNKS = 16, ROWS_MAX = CHUNK_OCTETS / sizeof(struct pl_row) };

struct mover {
	struct cli *cli;
	struct client *store;
	struct handle handle;
	uint64_t mbox;
	struct cli_progress bar;
	uint64_t messages, left_out, mailboxes_left_out;
	uint64_t at, skip; // import: how many came so far; how many were brought in by an earlier try
};

/// A name in the form that IMAP clients' commands are brought to.
static enum ec set_name(struct req_mbox_find *find, struct sl name)
{
	struct buf composed = BUF(4096);
	enum ec e = mboxname_compose(name, &composed);

	if (e == E_OK)
		e = field_set(find->name, buf_sl(&composed));
	buf_free(&composed);
	return e;
}

/// The mailbox of a name, made where missing.
FIB static enum ec open_mailbox(struct cx *cx, struct mover *m, struct sl name)
{
	struct req_mbox_find find = { .handle = m->handle };
	struct req_mbox_create create = { .handle = m->handle };
	struct ans_mbox_find found;
	struct ans_mbox_create made;
	enum ec e = set_name(&find, name);

	if (e == E_OK)
		e = call_mbox_find(cx, m->store, &find, &found);
	if (e == E_OK)
		m->mbox = found.mbox;
	if (e != E_NOTFOUND)
		return e;
	client_op(create.op);
	e = field_set(create.name, FIELD_SL(find.name));
	if (e == E_OK)
		e = call_mbox_create(cx, m->store, &create, &made);
	if (e == E_OK)
		m->mbox = made.mbox;
	return e;
}

// ---- import

FIB static uint64_t keyword_bits(struct cx *cx, struct mover *m, const struct letter *l)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < l->n_keywords; i++) {
		struct req_mbox_keyword req = { .handle = m->handle, .mbox = m->mbox };
		struct ans_mbox_keyword ans;
		if (field_set(req.name, l->keyword[i]) == E_OK && call_mbox_keyword(cx, m->store, &req, &ans) == E_OK)
			bits |= 1ull << ans.bit;
	}
	return bits;
}

/// Copies up to 1 MiB of *rest into the chunks of `r`.
static void fill_chunks(struct chunks *chunks, const struct range *own, struct range *r, uint32_t *n, struct sl *rest)
{
	*n = 0;
	while (rest->n && *n < INLINE_CHUNKS) {
		struct sl piece = sl_head(*rest, CHUNK_OCTETS);
		memcpy(chunks_at(chunks, own[*n]), piece.p, piece.n);
		r[*n] = (struct range){ own[*n].off, (uint32_t)piece.n };
		(*n)++;
		*rest = sl_from(*rest, piece.n);
	}
}

/// More than 1 MiB goes ahead as an upload.
FIB static enum ec upload(struct cx *cx, struct mover *m, const struct range *own, struct sl text, uint64_t *id)
{
	struct req_upload_begin begin = { 0 };
	struct ans_upload_begin begun;
	enum ec e = call_upload_begin(cx, m->store, &begin, &begun);

	while (e == E_OK && text.n) {
		struct req_upload_add add = { .upload = begun.upload };
		struct ans_upload_add added;
		fill_chunks(client_chunks(m->store), own, add.body.r, &add.body.n, &text);
		e = call_upload_add(cx, m->store, &add, &added);
	}
	if (e == E_OK)
		*id = begun.upload;
	return e;
}

FIB static enum ec append(struct cx *cx, struct mover *m, const struct letter *l, const struct range *own)
{
	struct req_mbox_append req = { .handle = m->handle,
		.mbox = m->mbox,
		.flags = l->flags,
		.date_s = l->date.unix_s,
		.zone_min = l->date.offset_min };
	struct ans_mbox_append ans;
	struct sl rest = l->text;
	enum ec e = E_OK;

	req.keywords = keyword_bits(cx, m, l);
	client_op(req.op);
	if (l->text.n <= (size_t)INLINE_CHUNKS * CHUNK_OCTETS)
		fill_chunks(client_chunks(m->store), own, req.body.r, &req.body.n, &rest);
	else
		e = upload(cx, m, own, l->text, &req.upload);
	return e == E_OK ? call_mbox_append(cx, m->store, &req, &ans) : e;
}

/// A message larger than any may be costs itself and nothing else.
static void leave_out(struct mover *m, const struct letter *l)
{
	fprintf(stderr,
		text_of("hongyan import: message %llu was left out: it has %zu octets, and message_max allows %lld\n"),
		(unsigned long long)m->at + 1, l->text.n, (long long)m->cli->place.config.message_max);
	m->left_out++;
}

FIB static enum ec take_letter(struct cx *cx, void *arg, const struct letter *l, uint64_t done, uint64_t total)
{
	struct mover *m = arg;
	struct chunks *chunks = client_chunks(m->store);
	struct range own[INLINE_CHUNKS];
	uint32_t n = 0;
	enum ec e = E_OK;

	if (m->at < m->skip || l->text.n == 0) {
		m->at++;
		return E_OK;
	}
	if (l->text.n > (uint64_t)m->cli->place.config.message_max) {
		leave_out(m, l);
		m->at++;
		return E_OK;
	}
	login_renew(cx, m->store, &m->handle); // a large import may last days
	while (e == E_OK && n < INLINE_CHUNKS && (n == 0 || (size_t)n * CHUNK_OCTETS < l->text.n)) {
		e = chunks_take(cx, chunks, &own[n]);
		n += e == E_OK;
	}
	if (e == E_OK)
		e = append(cx, m, l, own);
	while (n)
		chunks_give(chunks, own[--n]);
	m->messages += e == E_OK;
	m->at += e == E_OK;
	cli_progress_step(&m->bar, done, total);
	return e;
}

/// The mailbox of a folder inside a Maildir: below the one that was named, else (and below INBOX) at the top.
FIB static enum ec open_below(struct cx *cx, struct mover *m, struct sl folder)
{
	const char *mailbox = cli_get(m->cli, "mailbox");
	struct buf name = BUF(4096);

	if (mailbox && !sl_eq_ci(sl_cstr(mailbox), SL("INBOX")))
		buf_printf(&name, "%s/", mailbox);
	buf_add(&name, folder);
	enum ec e = name.err != E_OK ? name.err : open_mailbox(cx, m, buf_sl(&name));
	if (e != E_OK)
		e = wrap(cx, e, "mailbox %.*s", SLF(buf_sl(&name)));
	buf_free(&name);
	return e;
}

/// A path that may be anybody's, without octets that a terminal would obey.
static const char *plain(const char *path, struct buf *b)
{
	for (const char *p = path; *p; p++)
		buf_addc(b, (uint8_t)*p < ' ' || *p == 0x7f ? '?' : (uint8_t)*p);
	buf_addc(b, 0);
	return b->err ? "?" : (const char *)b->p;
}

/// Of a Maildir, what is no mail: a link, a FIFO, a folder whose name no mailbox may have.
static void leave_file(void *arg, const char *path)
{
	struct mover *m = arg;
	struct buf shown = BUF(8192);

	fprintf(stderr, text_of("hongyan import: left out, being no regular file or folder: %s\n"),
		plain(path, &shown));
	m->left_out++;
	buf_free(&shown);
}

FIB static enum ec import_folder(
	struct cx *cx, struct mover *m, const struct maildir *dir, const struct maildir_folder *f)
{
	struct buf shown = BUF(8192);
	enum ec e = f->name.n ? open_below(cx, m, f->name) : E_SYNTAX;

	if (e == E_OK)
		return maildir_read(cx, dir, f->folder);
	if (e != E_SYNTAX && e != E_TOOBIG)
		return e;
	cx_forget(cx);
	fprintf(stderr, text_of("hongyan import: folder %s was left out: no mailbox may have such a name\n"),
		plain(f->folder, &shown));
	m->left_out++;
	buf_free(&shown);
	return E_OK;
}

FIB static enum ec import_maildir(struct cx *cx, struct mover *m, const char *path)
{
	struct maildir dir = { path, take_letter, leave_file, m };
	struct maildir_folder *folders;
	struct arena a;
	size_t n = 0;
	enum ec e = maildir_read(cx, &dir, ".");

	arena_init(&a, 64 << 20);
	if (e == E_OK)
		e = maildir_folders(cx, &dir, &a, &folders, &n);
	for (size_t i = 0; e == E_OK && i < n; i++)
		e = import_folder(cx, m, &dir, &folders[i]);
	arena_free(&a);
	return e;
}

static bool begins_as_mbox(struct cx *cx, const char *path)
{
	char head[5] = "";
	int fd = -1;
	bool is = file_open(cx, AT_FDCWD, path, &fd) == E_OK && read(fd, head, 5) == 5 && memcmp(head, "From ", 5) == 0;

	cx_forget(cx); // who reads it finds the same
	if (fd >= 0)
		close(fd);
	return is;
}

static bool has_folder(const char *path, const char *name)
{
	char sub[4096];
	int n = snprintf(sub, sizeof sub, "%s/%s", path, name);

	return n > 0 && n < (int)sizeof sub && access(sub, F_OK) == 0;
}

/// "link/" would be what the link points to.
static void cut_slashes(char *path)
{
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/';)
		path[--n] = 0;
}

/// A link is not followed: its owner, who need not be the operator, may point it at anybody's files.
static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

FIB static enum ec import_one(struct cx *cx, struct mover *m, char *path)
{
	const char *mailbox = cli_get(m->cli, "mailbox");
	struct stat st;

	cut_slashes(path);
	if (is_link(path))
		return fail(cx, E_UNSUPPORTED, text_of("%s is a link; name what it points to"), path);
	if (lstat(path, &st) < 0)
		return fail(cx, file_errno(errno), "%s: %m", path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return fail(cx, E_UNSUPPORTED, text_of("%s is neither a message nor an mbox"), path);
	if (S_ISDIR(st.st_mode) && !has_folder(path, "cur") && !has_folder(path, "new"))
		return fail(cx, E_UNSUPPORTED, text_of("%s is no Maildir: it has neither a folder cur nor new"), path);
	enum ec e = open_mailbox(cx, m, mailbox ? sl_cstr(mailbox) : SL("INBOX"));
	if (e != E_OK)
		return wrap(cx, e, "mailbox %s", mailbox ? mailbox : "INBOX");
	if (S_ISDIR(st.st_mode))
		return import_maildir(cx, m, path);
	// an empty .mbox file is an empty mailbox
	if (begins_as_mbox(cx, path) || sl_ends_ci(sl_cstr(path), SL(".mbox")))
		return mbox_read(cx, path, take_letter, m);
	return eml_read(cx, path, take_letter, m);
}

FIB static int import_with(struct cx *cx, struct cli *cli, struct client *store)
{
	struct mover m = { .cli = cli, .store = store, .bar = cli_progress_begin(cli, "importing") };
	const char *skip = cli_get(cli, "skip");

	if (skip && !num_parse(sl_cstr(skip), UINT64_MAX, &m.skip))
		return cli_fail(cli, NULL, "--skip needs a number"), CLI_USAGE;
	enum ec e = cli_handle(cx, store, cli_get(cli, "user"), &m.handle);
	if (e != E_OK)
		return cli_fail_as(cli, NULL, e, "user %s %s", cli_get(cli, "user"), cli_words(e));
	for (int i = 0; e == E_OK && i < cli->n_args; i++)
		e = import_one(cx, &m, cli->arg[i]);
	cli_progress_end(&m.bar);
	if (e != E_OK && m.at)
		return cli_fail_as(cli, cx, e,
			"stopped after %llu messages, which are safe (go on with --skip %llu): the next one %s",
			(unsigned long long)m.messages, (unsigned long long)m.at, cli_words(e));
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "nothing is in: the first thing %s", cli_words(e));
	if (cli->json)
		printf("{\"messages\": %llu, \"left_out\": %llu}\n", (unsigned long long)m.messages,
			(unsigned long long)m.left_out);
	else if (m.messages == 1)
		cli_say("1 message is in.\n");
	else
		cli_say("%llu messages are in.\n", (unsigned long long)m.messages);
	return m.left_out ? CLI_FAILED : CLI_OK;
}

int cmd_import(struct cx *cx, struct cli *cli)
{
	if (!cli_get(cli, "user"))
		return cli_fail(cli, NULL, "--user ADDRESS is needed"), CLI_USAGE;
	return cli_store(cx, cli, import_with);
}

// ---- export

struct out_mailbox {
	struct sl name;
	uint64_t mbox;
	struct sl keyword[LETTER_KEYWORDS]; // by bit
	struct arena memory;
	struct maildir_made dir; // Maildir form
	FILE *mbox_file;         // mbox form
};

FIB static enum ec read_keywords(struct cx *cx, struct mover *m, struct out_mailbox *o)
{
	struct req_mbox_keywords req = { .handle = m->handle, .mbox = o->mbox };
	struct ans_mbox_keywords ans;
	struct chunks *chunks = client_chunks(m->store);
	enum ec e = chunks_take(cx, chunks, &req.out);

	if (e != E_OK)
		return e;
	const uint8_t *at = chunks_at(chunks, req.out);
	e = call_mbox_keywords(cx, m->store, &req, &ans);
	for (uint32_t i = 0; e == E_OK && i < ans.count; i++) {
		const struct pl_keyword *k = (const struct pl_keyword *)(const void *)at;
		o->keyword[k->bit % LETTER_KEYWORDS] = arena_copy(&o->memory, (struct sl){ k->name, k->name_octets });
		at += k->size;
	}
	chunks_give(chunks, req.out);
	return e;
}

/// The whole body of one message, chunk by chunk.
FIB static enum ec read_body(struct cx *cx, struct mover *m, uint64_t mbox, const struct pl_row *row, struct buf *text)
{
	struct chunks *chunks = client_chunks(m->store);
	struct range chunk;
	enum ec e = chunks_take(cx, chunks, &chunk);

	if (e != E_OK)
		return e;
	while (e == E_OK && text->n < row->octets) {
		struct req_mbox_read req = { .handle = m->handle, .mbox = mbox };
		struct ans_mbox_read ans;
		req.uid[0] = row->uid;
		req.offset[0] = (uint32_t)text->n;
		req.out.n = 1;
		req.out.r[0] = chunk;
		e = call_mbox_read(cx, m->store, &req, &ans);
		if (e == E_OK && (ans.got[0] == 0 || ans.got[0] > CHUNK_OCTETS))
			e = ans.got[0] == READ_GONE ? E_NOTFOUND : E_CORRUPT;
		if (e == E_OK)
			buf_add(text, (struct sl){ chunks_at(chunks, chunk), ans.got[0] });
	}
	chunks_give(chunks, chunk);
	return e == E_OK ? text->err : e;
}

static enum ec write_letter(struct cx *cx, struct out_mailbox *o, uint32_t uid, const struct letter *l)
{
	struct buf b = BUF(SIZE_MAX / 2);
	enum ec e = E_OK;

	if (!o->mbox_file)
		return maildir_write(cx, &o->dir, uid, l, o->keyword, LETTER_KEYWORDS);
	mbox_print(&b, l);
	if (b.err || fwrite(b.p, 1, b.n, o->mbox_file) != b.n)
		e = fail(cx, b.err ? b.err : file_errno(errno), "writing the mbox file: %m");
	buf_free(&b);
	return e;
}

/// A damaged message costs itself and nothing else; where it cannot be written, that is the folder's fault.
FIB static enum ec export_row(struct cx *cx, struct mover *m, struct out_mailbox *o, const struct pl_row *row)
{
	struct buf text = BUF((size_t)row->octets + 1);
	struct letter l = { .flags = row->flags, .date = { row->date_s, row->zone_min } };
	enum ec e = read_body(cx, m, o->mbox, row, &text);
	bool unread = e == E_CORRUPT || e == E_NOTFOUND;

	l.text = buf_sl(&text);
	for (size_t bit = 0; bit < LETTER_KEYWORDS; bit++)
		if (row->keywords >> bit & 1)
			letter_add_keyword(&l, o->keyword[bit]);
	if (e == E_OK)
		e = write_letter(cx, o, row->uid, &l);
	buf_free(&text);
	if (unread) {
		fprintf(stderr, text_of("hongyan export: message %u of %.*s is damaged or gone and was left out\n"),
			row->uid, SLF(o->name));
		cx_forget(cx);
		m->left_out++;
		return E_OK;
	}
	m->messages += e == E_OK;
	return e;
}

FIB static enum ec export_rows(struct cx *cx, struct mover *m, struct out_mailbox *o)
{
	struct chunks *chunks = client_chunks(m->store);
	struct req_mbox_rows req = { .handle = m->handle, .mbox = o->mbox, .all = 1, .from_uid = 1 };
	struct req_mbox_status ask = { .handle = m->handle, .mbox = o->mbox };
	struct ans_mbox_rows ans = { 0 };
	struct ans_mbox_status status;
	uint64_t done = 0;
	enum ec e = call_mbox_status(cx, m->store, &ask, &status);

	if (e == E_OK)
		e = chunks_take(cx, chunks, &req.out.r[0]);
	if (e != E_OK)
		return e;
	req.out.n = 1;
	do {
		login_renew(cx, m->store, &m->handle);
		req.handle = m->handle;
		e = call_mbox_rows(cx, m->store, &req, &ans);
		const struct pl_row *rows = (const struct pl_row *)(const void *)chunks_at(chunks, req.out.r[0]);
		for (uint32_t i = 0; e == E_OK && i < ans.count; i++) {
			e = export_row(cx, m, o, &rows[i]);
			cli_progress_step(&m->bar, ++done, status.messages);
		}
		req.from_uid = ans.next_uid;
	} while (e == E_OK && ans.next_uid);
	chunks_give(chunks, req.out.r[0]);
	return e;
}

FIB static enum ec export_mailbox(struct cx *cx, struct mover *m, struct out_mailbox *o)
{
	const char *dest = m->cli->arg[0];
	enum ec e;

	arena_init(&o->memory, 1 << 20);
	e = read_keywords(cx, m, o);
	if (e == E_OK && !o->mbox_file)
		e = maildir_make(cx, dest, o->name, o->mbox, &o->dir);
	bool made = e == E_OK && !o->mbox_file;
	if (e == E_OK && o->dir.cut)
		fprintf(stderr,
			text_of("hongyan export: the name of mailbox %.*s is too long for a folder's: it is in %s\n"),
			SLF(o->name), o->dir.path);
	if (e == E_OK && made)
		e = maildir_write_keywords(cx, &o->dir, o->keyword, LETTER_KEYWORDS);
	if (e == E_OK)
		e = export_rows(cx, m, o);
	if (made)
		maildir_done(&o->dir);
	arena_free(&o->memory);
	return e == E_OK ? E_OK : wrap(cx, e, "mailbox %.*s", SLF(o->name));
}

FIB static enum ec export_named(struct cx *cx, struct mover *m, struct sl name, FILE *mbox_file)
{
	struct req_mbox_find find = { .handle = m->handle };
	struct ans_mbox_find found;
	struct out_mailbox o = { .name = name, .mbox_file = mbox_file };
	enum ec e = set_name(&find, name);

	if (e == E_OK)
		e = call_mbox_find(cx, m->store, &find, &found);
	if (e != E_OK)
		return fail(cx, e, "mailbox %.*s", SLF(name));
	o.mbox = found.mbox;
	return export_mailbox(cx, m, &o);
}

/// One of all: its failure ends no other, unless every other would fail alike.
FIB static enum ec export_next(struct cx *cx, struct mover *m, struct sl name, FILE *mbox_file)
{
	char story[1024];
	enum ec e = export_named(cx, m, name, mbox_file);

	if (mbox_file && ferror(mbox_file))
		return e;
	if (e == E_OK || e == E_FULL || e == E_TEMP || e == E_CLOSED || e == E_TIMEOUT || e == E_CANCELED)
		return e;
	cx_story(cx, story, sizeof story);
	fprintf(stderr, text_of("hongyan export: mailbox %.*s was left out: it %s [%s]\n"), SLF(name), cli_words(e),
		story);
	cx_forget(cx);
	m->mailboxes_left_out++;
	return E_OK;
}

FIB static enum ec export_all(struct cx *cx, struct mover *m, FILE *mbox_file)
{
	struct chunks *chunks = client_chunks(m->store);
	struct req_mbox_list req = { .handle = m->handle };
	struct ans_mbox_list ans = { .more = 1 };
	enum ec e = chunks_take(cx, chunks, &req.out);

	while (e == E_OK && ans.more) {
		req.handle = m->handle;
		const uint8_t *at = chunks_at(chunks, req.out);
		e = call_mbox_list(cx, m->store, &req, &ans);
		for (uint32_t i = 0; e == E_OK && i < ans.count; i++) {
			const struct pl_mbox *p = (const struct pl_mbox *)(const void *)at;
			struct sl name = { p->name, p->name_octets };
			e = field_set(req.after, name);
			if (e == E_OK && p->exists)
				e = export_next(cx, m, name, mbox_file);
			at += p->size;
		}
		if (e == E_OK && ans.more && ans.count == 0)
			e = fail(cx, E_CORRUPT, "the list of mailboxes does not end");
	}
	if (req.out.len)
		chunks_give(chunks, req.out);
	return e;
}

FIB static enum ec export_to_mbox(struct cx *cx, struct mover *m, const char *dest)
{
	const char *mailbox = cli_get(m->cli, "mailbox");
	int fd = open(dest, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f)
		return fail(cx, file_errno(errno), "%s: %m", dest);
	enum ec e = mailbox ? export_named(cx, m, sl_cstr(mailbox), f) : export_all(cx, m, f);
	bool flushed = fflush(f) == 0 && fsync(fileno(f)) == 0;
	if ((fclose(f) != 0 || !flushed) && e == E_OK)
		e = fail(cx, E_IO, "%s: %m", dest);
	if (e != E_OK && m->messages == 0)
		unlink(dest); // so that the next try may have the name
	return e;
}

FIB static int export_with(struct cx *cx, struct cli *cli, struct client *store)
{
	struct mover m = { .cli = cli, .store = store, .bar = cli_progress_begin(cli, "exporting") };
	const char *dest = cli->arg[0], *mailbox = cli_get(cli, "mailbox");
	enum ec e = cli_handle(cx, store, cli_get(cli, "user"), &m.handle);

	if (e != E_OK)
		return cli_fail_as(cli, NULL, e, "user %s %s", cli_get(cli, "user"), cli_words(e));
	cut_slashes(cli->arg[0]);
	if (is_link(dest))
		return cli_fail(cli, NULL, "%s is a link; name what it points to", dest);
	if (sl_ends_ci(sl_cstr(dest), SL(".mbox")))
		e = export_to_mbox(cx, &m, dest);
	else if (mailbox)
		e = export_named(cx, &m, sl_cstr(mailbox), NULL);
	else if ((e = file_folder(cx, dest, 0700)) == E_OK)
		e = export_all(cx, &m, NULL);
	cli_progress_end(&m.bar);
	if (e == E_EXISTS)
		return cli_fail(cli, NULL,
			"%s holds something already, and nothing is overwritten; name a new folder or file", dest);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "stopped after %llu messages: the next thing %s",
			(unsigned long long)m.messages, cli_words(e));
	if (cli->json)
		printf("{\"messages\": %llu, \"left_out\": %llu, \"mailboxes_left_out\": %llu}\n",
			(unsigned long long)m.messages, (unsigned long long)m.left_out,
			(unsigned long long)m.mailboxes_left_out);
	else if (m.messages == 1)
		cli_say("1 message written to %s.\n", dest);
	else
		cli_say("%llu messages written to %s.\n", (unsigned long long)m.messages, dest);
	return m.left_out || m.mailboxes_left_out ? CLI_FAILED : CLI_OK;
}

int cmd_export(struct cx *cx, struct cli *cli)
{
	if (!cli_get(cli, "user"))
		return cli_fail(cli, NULL, "--user ADDRESS is needed"), CLI_USAGE;
	return cli_store(cx, cli, export_with);
}
