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
#include "main/text.h"
#include "proto/mutf7.h"

enum { EML_OCTETS_MAX = 0x7fffffff, DIR_MEMORY = 256 << 20, DIR_ENTRIES_MAX = 4000000 };

static const struct {
	uint8_t letter, flag;
} marks[] = { { 'D', FLAG_DRAFT }, { 'F', FLAG_FLAGGED }, { 'R', FLAG_ANSWERED }, { 'S', FLAG_SEEN },
	{ 'T', FLAG_DELETED } };

/// The names of a folder's files, sorted; what begins with a dot is left out unless `dots`.
static enum ec list_names(struct cx *cx, const char *path, bool dots, struct arena *a, struct sl **out, size_t *n)
{
	DIR *d = opendir(path);
	size_t room = 0;
	struct sl *names = NULL;
	enum ec e = E_OK;

	*n = 0;
	*out = NULL;
	if (!d)
		return fail(cx, file_errno(errno), "%s: %m", path);
	for (struct dirent *f; e == E_OK && (f = readdir(d));) {
		if ((f->d_name[0] == '.') != dots || strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
			continue;
		if (*n == room) {
			room = room ? room * 2 : 64;
			struct sl *more = arena_alloc(a, room, sizeof *more);
			if (more && *n)
				memcpy(more, names, *n * sizeof *more);
			names = more;
		}
		struct sl copy = names ? arena_copy(a, (struct sl){ (uint8_t *)f->d_name, strlen(f->d_name) + 1 })
		                       : (struct sl){ 0 };
		if (!copy.p || *n == DIR_ENTRIES_MAX)
			e = fail(cx, E_LIMIT, "%s has too many files", path);
		else
			names[(*n)++] = sl_head(copy, copy.n - 1); // the NUL behind it stays, for paths
	}
	closedir(d);
	*out = names;
	return e;
}

static int compare_names(const void *a, const void *b)
{
	return sl_cmp(*(const struct sl *)a, *(const struct sl *)b);
}

static enum ec list_sorted(struct cx *cx, const char *path, bool dots, struct arena *a, struct sl **out, size_t *n)
{
	enum ec e = list_names(cx, path, dots, a, out, n);

	if (e == E_OK && *n)
		qsort(*out, *n, sizeof **out, compare_names);
	return e;
}

static bool join(char out[4096], const char *a, const char *b)
{
	int n = snprintf(out, 4096, "%s/%s", a, b);

	return n > 0 && n < 4096;
}

/// dovecot-keywords: lines "0 name"; letter 'a' is number 0. Missing: no keywords.
static void read_keyword_table(struct cx *cx, const char *path, struct arena *a, struct sl table[26])
{
	char file[4096];
	struct buf b = BUF(65536);
	uint64_t number;

	if (join(file, path, "dovecot-keywords") && file_read(cx, file, &b) == E_OK) {
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

/// Reads one file as a message; its date is the file's.
static enum ec read_file(struct cx *cx, const char *path, struct buf *text, struct letter *l)
{
	struct buf raw = BUF(EML_OCTETS_MAX);
	struct stat st;
	enum ec e = file_read(cx, path, &raw);

	if (e == E_OK && stat(path, &st) == 0)
		l->date = (struct date){ .unix_s = st.st_mtim.tv_sec };
	if (e == E_OK) {
		buf_clear(text);
		letter_crlf(buf_sl(&raw), text);
		e = text->err ? fail(cx, text->err, "%s is too large", path) : E_OK;
	}
	l->text = buf_sl(text);
	buf_free(&raw);
	return e;
}

struct reading {
	const char *path; // of the Maildir
	const struct sl *table;
	letter_take *take;
	void *arg;
	uint64_t done, total;
};

FIB static enum ec read_folder(struct cx *cx, struct reading *r, const char *folder, const struct sl *names, size_t n)
{
	char dir[4096], path[4096];
	struct buf text = BUF(EML_OCTETS_MAX);
	enum ec e = join(dir, r->path, folder) ? E_OK : fail(cx, E_TOOBIG, "path too long: %s", r->path);

	for (size_t i = 0; e == E_OK && i < n; i++) {
		struct letter l = { 0 };
		if (!join(path, dir, (const char *)names[i].p))
			e = fail(cx, E_TOOBIG, "path too long: %s", dir);
		if (e == E_OK)
			e = read_file(cx, path, &text, &l);
		flags_from_name(names[i], r->table, &l);
		if (e == E_OK)
			e = r->take(cx, r->arg, &l, ++r->done, r->total);
	}
	buf_free(&text);
	return e;
}

FIB enum ec maildir_read(struct cx *cx, const char *path, letter_take *take, void *arg)
{
	struct arena a;
	struct sl table[26] = { { 0 } }, *cur, *fresh = NULL;
	size_t n_cur, n_fresh = 0;
	char dir[4096];

	arena_init(&a, DIR_MEMORY);
	read_keyword_table(cx, path, &a, table);
	enum ec e = join(dir, path, "cur") ? list_sorted(cx, dir, false, &a, &cur, &n_cur) : E_TOOBIG;
	if (e == E_OK && join(dir, path, "new"))
		e = list_sorted(cx, dir, false, &a, &fresh, &n_fresh);
	if (e == E_OK) {
		struct reading r = { path, table, take, arg, 0, n_cur + n_fresh };
		e = read_folder(cx, &r, "cur", cur, n_cur);
		if (e == E_OK)
			e = read_folder(cx, &r, "new", fresh, n_fresh);
	}
	arena_free(&a);
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
	enum ec e = read_file(cx, path, &text, &l);

	if (e == E_OK && l.text.n && !is_message(l.text))
		e = fail(cx, E_UNSUPPORTED, text_of("%s is neither a message nor an mbox"), path);
	if (e == E_OK && letter_sent(l.text, &sent))
		l.date = sent;
	if (e == E_OK)
		e = take(cx, arg, &l, 1, 1);
	buf_free(&text);
	return e;
}

/// ".Sent.2019" → "Sent/2019". Empty where the name is not modified UTF-7.
static struct sl folder_mailbox(struct sl name, struct arena *a)
{
	struct buf utf8 = BUF(4096);
	struct sl out = { 0 };

	if (mutf7_to_utf8(sl_from(name, 1), &utf8) == E_OK) {
		for (size_t i = 0; i < utf8.n; i++)
			if (utf8.p[i] == '.')
				utf8.p[i] = '/';
		out = arena_copy(a, buf_sl(&utf8));
	}
	buf_free(&utf8);
	return out;
}

enum ec maildir_folders(struct cx *cx, const char *path, struct arena *a, struct maildir_folder **out, size_t *n)
{
	struct sl *names;
	size_t n_names;
	char sub[4096];
	enum ec e = list_sorted(cx, path, true, a, &names, &n_names);
	struct maildir_folder *folders = e == E_OK ? arena_alloc(a, n_names, sizeof *folders) : NULL;

	*n = 0;
	if (e != E_OK)
		return e;
	if (!folders)
		return fail(cx, E_TEMP, "no memory for the folders of %s", path);
	for (size_t i = 0; i < n_names; i++) {
		struct sl mailbox = folder_mailbox(names[i], a);
		if (mailbox.n == 0 || !join(sub, path, (const char *)names[i].p))
			continue;
		struct sl copy = arena_copy(a, (struct sl){ (uint8_t *)sub, strlen(sub) + 1 });
		char cur[4096];
		if (copy.p && join(cur, sub, "cur") && access(cur, F_OK) == 0)
			folders[(*n)++] = (struct maildir_folder){ mailbox, (const char *)copy.p };
	}
	*out = folders;
	return E_OK;
}

enum ec maildir_make(struct cx *cx, const char *root, struct sl mailbox, char path[4096])
{
	static const char *const parts[] = { "", "/cur", "/new", "/tmp" };
	struct buf name = BUF(2048), dotted = BUF(2048);
	char sub[4096];
	enum ec e = file_folder(cx, root, 0700);

	if (!sl_eq_ci(mailbox, SL("INBOX"))) {
		buf_addc(&dotted, '.');
		buf_add(&dotted, mailbox);
		for (size_t i = 0; i < dotted.n; i++)
			if (dotted.p[i] == '/')
				dotted.p[i] = '.';
		if (e == E_OK)
			e = mutf7_from_utf8(buf_sl(&dotted), &name);
	}
	int n = snprintf(path, 4096, "%s%s%.*s", root, name.n ? "/" : "", SLF(buf_sl(&name)));
	if (e == E_OK && (n <= 0 || n > 4000))
		e = fail(cx, E_TOOBIG, "path too long: %s", root);
	for (size_t i = 0; e == E_OK && i < ARRAY_N(parts); i++) {
		snprintf(sub, sizeof sub, "%s%s", path, parts[i]);
		e = file_folder(cx, sub, 0700);
	}
	buf_free(&name);
	buf_free(&dotted);
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

enum ec maildir_write(
	struct cx *cx, const char *path, uint32_t uid, const struct letter *l, const struct sl *table, size_t n_table)
{
	struct buf name = BUF(4096), text = BUF(EML_OCTETS_MAX);
	struct timespec times[2] = { { .tv_sec = l->date.unix_s }, { .tv_sec = l->date.unix_s } };

	buf_printf(&name, "%s/cur/%lld.U%u.hongyan:2,", path, (long long)l->date.unix_s, uid);
	print_info(&name, l, table, n_table);
	buf_addc(&name, 0);
	print_lf(&text, l->text);
	enum ec e = name.err ? name.err : text.err;
	if (e == E_OK)
		e = file_create(cx, (const char *)name.p, 0600, buf_sl(&text));
	if (e == E_OK && utimensat(AT_FDCWD, (const char *)name.p, times, 0) < 0)
		e = fail(cx, E_IO, "setting the date of %s: %m", (const char *)name.p);
	buf_free(&name);
	buf_free(&text);
	return e;
}

enum ec maildir_write_keywords(struct cx *cx, const char *path, const struct sl *table, size_t n_table)
{
	struct buf b = BUF(65536);
	char file[4096];
	enum ec e = E_OK;

	for (size_t i = 0; i < n_table && i < 26; i++)
		buf_printf(&b, "%zu %.*s\n", i, SLF(table[i]));
	if (b.n && join(file, path, "dovecot-keywords"))
		e = file_create(cx, file, 0600, buf_sl(&b));
	buf_free(&b);
	return e;
}
