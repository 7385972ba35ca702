/// maildir — a folder per mailbox, a file per message (Maildir++ names for folders), and single files.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/verbs.h"
#include "mail/header.h"
#include "main/file.h"
#include "main/letter.h"
#include "main/maildir_name.h"
#include "main/text.h"

enum { EML_OCTETS_MAX = 0x7fffffff, DIR_MEMORY = 256 << 20, DIR_ENTRIES_MAX = 4000000 };

/// In a folder whose name had no room for the mailbox's: that name, UTF-8.
static const char NAME_FILE[] = "hongyan-mailbox";

static const struct {
	uint8_t letter, flag;
} marks[] = { { 'D', FLAG_DRAFT }, { 'F', FLAG_FLAGGED }, { 'R', FLAG_ANSWERED }, { 'S', FLAG_SEEN },
	{ 'T', FLAG_DELETED } };

/// An open folder, and what it is called.
struct folder {
	int fd;
	char path[4096];
};

struct names {
	struct sl *name; // each with a NUL behind it, for paths
	size_t n;
};

static bool join(char out[4096], const char *a, const char *b)
{
	int n = snprintf(out, 4096, "%s/%s", a, b);

	return n > 0 && n < 4096;
}

/// Opens a folder that is one itself, and no link to one. in: above - NULL: `name` is a path.
static enum ec open_folder(struct cx *cx, const struct folder *above, const char *name, struct folder *out)
{
	bool below = above && strcmp(name, ".") != 0;
	int n = snprintf(
		out->path, sizeof out->path, "%s%s%s", above ? above->path : name, below ? "/" : "", below ? name : "");

	if (n <= 0 || n >= (int)sizeof out->path)
		return fail(cx, E_TOOBIG, "path too long: %s", name);
	out->fd = openat(above ? above->fd : AT_FDCWD, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out->fd >= 0)
		return E_OK;
	bool other = errno == ENOTDIR || errno == ELOOP;
	return fail(cx, other ? E_UNSUPPORTED : file_errno(errno), "%s: %m", out->path);
}

static enum ec add_name(struct cx *cx, const struct folder *f, const char *name, struct arena *a, struct names *out)
{
	if ((out->n & (out->n - 1)) == 0) { // 0, 1, 2, 4 …: full
		struct sl *more = arena_alloc(a, out->n ? out->n * 2 : 1, sizeof *more);
		if (!more)
			return fail(cx, E_LIMIT, "%s has too many files", f->path);
		if (out->n)
			memcpy(more, out->name, out->n * sizeof *more);
		out->name = more;
	}
	struct sl copy = arena_copy(a, (struct sl){ (const uint8_t *)name, strlen(name) + 1 });
	if (!copy.p || out->n == DIR_ENTRIES_MAX)
		return fail(cx, E_LIMIT, "%s has too many files", f->path);
	out->name[out->n++] = sl_head(copy, copy.n - 1);
	return E_OK;
}

static int compare_names(const void *a, const void *b)
{
	return sl_cmp(*(const struct sl *)a, *(const struct sl *)b);
}

/// The names of what is in a folder, sorted: those that begin with a dot, or those that do not.
static enum ec list_names(struct cx *cx, const struct folder *f, bool dots, struct arena *a, struct names *out)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	enum ec e = d ? E_OK : fail(cx, file_errno(errno), "%s: %m", f->path);

	*out = (struct names){ 0 };
	for (struct dirent *i; e == E_OK && (i = readdir(d));)
		if ((i->d_name[0] == '.') == dots && strcmp(i->d_name, ".") != 0 && strcmp(i->d_name, "..") != 0)
			e = add_name(cx, f, i->d_name, a, out);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (e == E_OK && out->n)
		qsort(out->name, out->n, sizeof *out->name, compare_names);
	return e;
}

static enum ec read_small(struct cx *cx, const struct folder *f, const char *name, struct buf *b)
{
	int fd;
	enum ec e = file_open(cx, f->fd, name, &fd);

	if (e != E_OK)
		return e;
	e = file_read_fd(cx, name, fd, b);
	close(fd);
	return e;
}

/// dovecot-keywords: lines "0 name"; letter 'a' is number 0. Missing: no keywords.
static void read_keyword_table(struct cx *cx, const struct folder *f, struct arena *a, struct sl table[26])
{
	struct buf b = BUF(65536);
	uint64_t number;

	if (read_small(cx, f, "dovecot-keywords", &b) == E_OK) {
		for (struct sl rest = buf_sl(&b); rest.n;) {
			struct sl name = sl_cut(&rest, '\n');
			struct sl digits = sl_cut(&name, ' ');
			if (num_parse(digits, 25, &number))
				table[number] = arena_copy(a, name);
		}
	}
	cx_forget(cx);
	buf_free(&b);
}

static void flags_from_name(struct sl name, const struct sl table[26], struct letter *l)
{
	size_t at = sl_find_sl(name, SL(":2,"));
	struct sl info = sl_from(name, at + 3);

	for (size_t i = 0; at < name.n && i < info.n; i++) {
		for (size_t k = 0; k < ARRAY_N(marks); k++)
			if (info.p[i] == marks[k].letter)
				l->flags |= marks[k].flag;
		if (info.p[i] >= 'a' && info.p[i] <= 'z')
			letter_add_keyword(l, table[info.p[i] - 'a']);
		if (info.p[i] == 'P') // passed on: in IMAP a keyword, RFC 5788 and its registry
			letter_add_keyword(l, SL("$Forwarded"));
	}
}

/// Reads one file as a message; its date is the file's. in: folder - an open one or AT_FDCWD.
/// errors: E_UNSUPPORTED - no regular file; E_TOOBIG; those of file_open.
static enum ec read_file(struct cx *cx, int folder, const char *name, struct buf *text, struct letter *l)
{
	struct buf raw = BUF(EML_OCTETS_MAX);
	struct stat st;
	int fd;
	enum ec e = file_open(cx, folder, name, &fd);

	if (e != E_OK)
		return e;
	e = file_read_fd(cx, name, fd, &raw);
	if (e == E_OK && fstat(fd, &st) == 0)
		l->date = (struct date){ .unix_s = st.st_mtim.tv_sec };
	close(fd);
	if (e == E_OK) {
		buf_clear(text);
		letter_crlf(buf_sl(&raw), text);
		e = text->err ? fail(cx, text->err, "%s is too large", name) : E_OK;
	}
	l->text = buf_sl(text);
	buf_free(&raw);
	return e;
}

/// What is under way: the files of "cur" or "new" of one folder.
struct reading {
	const struct maildir *m;
	struct folder at; // fd -1: left out
	struct names names;
	const struct sl *table;
	uint64_t *done, total;
};

/// Tells of what is in `f` and is no regular file or folder.
static void leave(struct cx *cx, const struct maildir *m, const struct folder *f, const char *name)
{
	char path[4096];

	cx_forget(cx);
	m->leave(m->arg, join(path, f->path, name) ? path : name);
}

static enum ec list_part(struct cx *cx, const struct folder *f, const char *part, struct arena *a, struct reading *r)
{
	enum ec e = open_folder(cx, f, part, &r->at);

	if (e == E_UNSUPPORTED)
		leave(cx, r->m, f, part);
	if (e == E_NOTFOUND)
		cx_forget(cx);
	if (e == E_UNSUPPORTED || e == E_NOTFOUND)
		return E_OK;
	return e == E_OK ? list_names(cx, &r->at, false, a, &r->names) : e;
}

FIB static enum ec read_part(struct cx *cx, struct reading *r)
{
	struct buf text = BUF(EML_OCTETS_MAX);
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < r->names.n; i++) {
		struct letter l = { 0 };
		const char *name = (const char *)r->names.name[i].p;
		e = read_file(cx, r->at.fd, name, &text, &l);
		++*r->done;
		if (e == E_UNSUPPORTED) {
			leave(cx, r->m, &r->at, name);
			e = E_OK;
			continue;
		}
		flags_from_name(r->names.name[i], r->table, &l);
		e = e == E_OK ? r->m->take(cx, r->m->arg, &l, *r->done, r->total) : wrap(cx, e, "%s", r->at.path);
	}
	buf_free(&text);
	return e;
}

/// Both are listed before either is read: mail that a program moves meanwhile from new/ to cur/ does not come twice.
FIB static enum ec read_parts(struct cx *cx, const struct maildir *m, const struct folder *f, struct arena *a)
{
	struct sl table[26] = { { 0 } };
	uint64_t done = 0;
	struct reading cur = { .m = m, .at.fd = -1, .table = table, .done = &done }, fresh = cur;

	read_keyword_table(cx, f, a, table);
	enum ec e = list_part(cx, f, "cur", a, &cur);
	if (e == E_OK)
		e = list_part(cx, f, "new", a, &fresh);
	cur.total = fresh.total = cur.names.n + fresh.names.n;
	if (e == E_OK)
		e = read_part(cx, &cur);
	if (e == E_OK)
		e = read_part(cx, &fresh);
	if (cur.at.fd >= 0)
		close(cur.at.fd);
	if (fresh.at.fd >= 0)
		close(fresh.at.fd);
	return e;
}

FIB enum ec maildir_read(struct cx *cx, const struct maildir *m, const char *folder)
{
	struct arena a;
	struct folder root, f;
	enum ec e = open_folder(cx, NULL, m->path, &root);

	if (e != E_OK)
		return e;
	e = open_folder(cx, &root, folder, &f);
	arena_init(&a, DIR_MEMORY);
	if (e == E_OK) {
		e = read_parts(cx, m, &f, &a);
		close(f.fd);
	} else if (e == E_UNSUPPORTED) {
		leave(cx, m, &root, folder);
		e = E_OK;
	}
	arena_free(&a);
	close(root.fd);
	return e;
}

/// Whether a text is a message: one of the fields that every program writes is in its header. A password file or a
/// picture has none.
static bool is_message(struct sl text)
{
	static const char *const usual[] = { "From", "Date", "Subject", "To", "Message-ID", "Received", "Return-Path",
		"MIME-Version", "Content-Type" };
	struct header_field f;

	for (size_t i = 0; i < ARRAY_N(usual); i++)
		if (header_find(text, sl_cstr(usual[i]), &f))
			return true;
	return false;
}

FIB enum ec eml_read(struct cx *cx, const char *path, letter_take *take, void *arg)
{
	struct buf text = BUF(EML_OCTETS_MAX);
	struct letter l = { 0 };
	struct date sent;
	enum ec e = read_file(cx, AT_FDCWD, path, &text, &l);

	if (e == E_OK && l.text.n && !is_message(l.text))
		e = fail(cx, E_UNSUPPORTED, text_of("%s is neither a message nor an mbox"), path);
	if (e == E_OK && letter_sent(l.text, &sent))
		l.date = sent;
	if (e == E_OK)
		e = take(cx, arg, &l, 1, 1);
	buf_free(&text);
	return e;
}

/// The mailbox's name: the folder's, or what is in the file inside. Empty where there is neither.
static struct sl folder_mailbox(struct cx *cx, const struct folder *root, struct sl name, struct arena *a)
{
	struct buf mailbox = BUF(4096);
	struct folder f;
	struct sl out = { 0 };
	enum ec e = maildir_name_parse(name, &mailbox);

	if (e == E_SYNTAX && open_folder(cx, root, (const char *)name.p, &f) == E_OK) {
		buf_clear(&mailbox);
		e = read_small(cx, &f, NAME_FILE, &mailbox);
		close(f.fd);
	}
	cx_forget(cx);
	if (e == E_OK)
		out = arena_copy(a, sl_trim(buf_sl(&mailbox)));
	buf_free(&mailbox);
	return out;
}

static bool has_part(const struct folder *root, const char *name, const char *part)
{
	char path[4096];

	return join(path, name, part) && faccessat(root->fd, path, F_OK, 0) == 0;
}

/// The folders of `root` that hold a cur/ or new/.
static enum ec folders_of(struct cx *cx, const struct folder *root, struct arena *a, struct names *out)
{
	struct names all;
	enum ec e = list_names(cx, root, true, a, &all);

	*out = (struct names){ all.name, 0 };
	for (size_t i = 0; e == E_OK && i < all.n; i++) {
		const char *name = (const char *)all.name[i].p;
		if (has_part(root, name, "cur") || has_part(root, name, "new"))
			out->name[out->n++] = all.name[i];
	}
	return e;
}

enum ec maildir_folders(struct cx *cx, const struct maildir *m, struct arena *a, struct maildir_folder **out, size_t *n)
{
	struct names names;
	struct folder root;
	enum ec e = open_folder(cx, NULL, m->path, &root);

	if (e != E_OK)
		return e;
	e = folders_of(cx, &root, a, &names);
	struct maildir_folder *folders = e == E_OK ? arena_alloc(a, names.n, sizeof *folders) : NULL;
	if (e == E_OK && !folders)
		e = fail(cx, E_TEMP, "no memory for the folders of %s", m->path);
	*n = 0;
	for (size_t i = 0; e == E_OK && i < names.n; i++) {
		const char *folder = (const char *)names.name[i].p;
		struct stat st;
		if (fstatat(root.fd, folder, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			folders[(*n)++] =
				(struct maildir_folder){ folder_mailbox(cx, &root, names.name[i], a), folder };
		else
			leave(cx, m, &root, folder);
	}
	close(root.fd);
	*out = folders;
	return e;
}

void maildir_done(struct maildir_made *m)
{
	if (m->folder >= 0)
		close(m->folder);
	if (m->cur >= 0)
		close(m->cur);
	m->folder = m->cur = -1;
}

/// Makes the folders of m->folder, where no mailbox is yet.
static enum ec make_parts(struct cx *cx, struct maildir_made *m)
{
	static const char *const others[] = { "new", "tmp" };
	struct stat st;
	int fd;

	if (fstatat(m->folder, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(cx, E_EXISTS, "%s/cur is there already", m->path);
	enum ec e = file_folder_in(cx, m->folder, "cur", 0700, &m->cur);
	for (size_t i = 0; e == E_OK && i < ARRAY_N(others); i++) {
		e = file_folder_in(cx, m->folder, others[i], 0700, &fd);
		if (e == E_OK)
			close(fd);
	}
	return e == E_OK ? E_OK : wrap(cx, e, "making the folders of %s", m->path);
}

/// Opens the folder of that name, or of the root itself where it has none, and makes it where it is missing.
static enum ec make_folder(struct cx *cx, const char *root, const char *name, struct maildir_made *m)
{
	struct folder top;
	int n = snprintf(m->path, sizeof m->path, "%s%s%s", root, *name ? "/" : "", name);

	if (n <= 0 || n > 4000)
		return fail(cx, E_TOOBIG, "path too long: %s", root);
	enum ec e = file_folder(cx, root, 0700);
	if (e == E_OK)
		e = open_folder(cx, NULL, root, &top);
	if (e != E_OK || !*name) {
		m->folder = e == E_OK ? top.fd : -1;
		return e;
	}
	e = file_folder_in(cx, top.fd, name, 0700, &m->folder);
	close(top.fd);
	return e == E_OK ? E_OK : wrap(cx, e, "in %s", root);
}

enum ec maildir_make(struct cx *cx, const char *root, struct sl mailbox, uint64_t id, struct maildir_made *out)
{
	struct buf name = BUF(4096);
	enum ec e = E_OK;

	out->cut = false;
	out->folder = out->cur = -1;
	if (!sl_eq_ci(mailbox, SL("INBOX")))
		e = maildir_name_print(mailbox, id, &name, &out->cut);
	buf_addc(&name, 0);
	if (e == E_OK)
		e = name.err;
	if (e == E_OK)
		e = make_folder(cx, root, (const char *)name.p, out);
	if (e == E_OK)
		e = make_parts(cx, out);
	if (e == E_OK && out->cut)
		e = file_create_in(cx, out->folder, NAME_FILE, 0600, mailbox);
	if (e != E_OK)
		maildir_done(out);
	buf_free(&name);
	return e;
}

static void print_info(struct buf *b, const struct letter *l, const struct sl *table, size_t n_table)
{
	for (size_t k = 0; k < ARRAY_N(marks); k++)
		if (l->flags & marks[k].flag)
			buf_addc(b, marks[k].letter);
	for (size_t t = 0; t < n_table && t < 26; t++)
		for (size_t i = 0; i < l->n_keywords; i++)
			if (sl_eq(table[t], l->keyword[i]))
				buf_addc(b, (uint8_t)('a' + t));
}

/// Line ends as files have them.
static void print_lf(struct buf *b, struct sl text)
{
	while (text.n) {
		size_t cr = sl_find_sl(text, SL("\r\n"));
		buf_add(b, sl_head(text, cr));
		if (cr < text.n)
			buf_addc(b, '\n');
		text = sl_from(text, cr + 2);
	}
}

enum ec maildir_write(struct cx *cx, const struct maildir_made *m, uint32_t uid, const struct letter *l,
	const struct sl *table, size_t n_table)
{
	struct buf name = BUF(4096), text = BUF(EML_OCTETS_MAX);
	struct timespec times[2] = { { .tv_sec = l->date.unix_s }, { .tv_sec = l->date.unix_s } };

	buf_printf(&name, "%lld.U%u.hongyan:2,", (long long)l->date.unix_s, uid);
	print_info(&name, l, table, n_table);
	buf_addc(&name, 0);
	print_lf(&text, l->text);
	enum ec e = name.err ? name.err : text.err;
	if (e == E_OK)
		e = file_create_in(cx, m->cur, (const char *)name.p, 0600, buf_sl(&text));
	if (e == E_OK && utimensat(m->cur, (const char *)name.p, times, AT_SYMLINK_NOFOLLOW) < 0)
		e = fail(cx, file_errno(errno), "setting the date of %s: %m", (const char *)name.p);
	buf_free(&name);
	buf_free(&text);
	return e == E_OK ? E_OK : wrap(cx, e, "in %s/cur", m->path);
}

enum ec maildir_write_keywords(struct cx *cx, const struct maildir_made *m, const struct sl *table, size_t n_table)
{
	struct buf b = BUF(65536);
	enum ec e = E_OK;

	for (size_t i = 0; i < n_table && i < 26; i++)
		buf_printf(&b, "%zu %.*s\n", i, SLF(table[i]));
	if (b.n)
		e = file_create_in(cx, m->folder, "dovecot-keywords", 0600, buf_sl(&b));
	buf_free(&b);
	return e;
}
