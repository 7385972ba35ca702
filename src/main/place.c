/// place — files of an installation, read by the master and the command line.
#include "main/place.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/num.h"
#include "main/file.h"
#include "main/role.h"
#include "main/text.h"
#include "net/tls.h"

enum { CONFIG_OCTETS_MAX = 1 << 20, CERT_OCTETS_MAX = 1 << 20 };

/// Copies a slice into a NUL-terminated path. False where it does not fit.
static bool path_of(char out[4096], struct sl s)
{
	if (s.n == 0 || s.n >= 4096)
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return true;
}

enum ec place_open(struct cx *cx, const char *path, struct place *out, struct buf *why)
{
	*out = (struct place){ .text = BUF(CONFIG_OCTETS_MAX) };
	if (!path_of(out->path, sl_cstr(path)))
		return fail(cx, E_TOOBIG, "the configuration's path is too long");
	enum ec e = file_read(cx, path, &out->text);
	if (e == E_OK)
		e = config_parse(cx, sl_cstr(out->path), buf_sl(&out->text), &out->config, why);
	if (e != E_OK)
		buf_free(&out->text);
	return e;
}

void place_close(struct place *p)
{
	for (size_t i = 0; i < p->n_certs; i++) {
		buf_wipe(&p->certs[i]);
		buf_free(&p->certs[i]);
	}
	p->n_certs = 0;
	config_free(&p->config);
	buf_free(&p->text);
}

/// One item of `certificates`: "file" or "chain key", read one after the other into one text.
static enum ec read_certificate(struct cx *cx, struct place *p, struct sl item, struct buf *pem)
{
	char path[4096];

	while (item.n) {
		struct sl file = sl_cut(&item, ' ');
		if (file.n == 0)
			continue;
		if (!path_of(path, config_file(&p->config, sl_cstr(p->path), file)))
			return fail(cx, E_TOOBIG, "path too long: %.*s", SLF(file));
		enum ec e = file_read(cx, path, pem);
		if (e != E_OK)
			return wrap(cx, e, text_of("certificates: %.*s"), SLF(file));
		buf_puts(pem, "\n");
	}
	return pem->err;
}

enum ec place_certificates(struct cx *cx, struct place *p)
{
	struct tls_cert_pem pems[BUNDLE_CERTS_MAX];
	uint8_t ticket_key[TICKET_KEY] = { 0 };
	struct tls_table *table = NULL;
	enum ec e = E_OK;

	for (; e == E_OK && p->n_certs < p->config.certificates.n; p->n_certs++) {
		p->certs[p->n_certs] = BUF(CERT_OCTETS_MAX);
		e = read_certificate(cx, p, p->config.certificates.item[p->n_certs], &p->certs[p->n_certs]);
		pems[p->n_certs] =
			(struct tls_cert_pem){ buf_sl(&p->certs[p->n_certs]), buf_sl(&p->certs[p->n_certs]) };
	}
	if (e == E_OK && p->n_certs)
		e = tls_table_new(cx, pems, p->n_certs, ticket_key, &table);
	tls_table_unref(table);
	return e;
}

enum ec place_give(struct cx *cx, const struct place *p, const char *path)
{
	struct stat conf;

	if (geteuid() != 0 || stat(p->path, &conf) < 0 || conf.st_uid == 0)
		return E_OK;
	return lchown(path, conf.st_uid, conf.st_gid) == 0 ? E_OK
	                                                   : fail(cx, file_errno(errno), "giving %s away: %m", path);
}

/// The secret lies beside the data folder, so that a copied data folder alone does not carry it.
static enum ec secret_path(struct cx *cx, struct place *p, char out[4096])
{
	return path_of(out, config_file(&p->config, sl_cstr(p->path), SL("secret")))
	               ? E_OK
	               : fail(cx, E_TOOBIG, "the configuration's path is too long");
}

enum ec place_secret(struct cx *cx, struct place *p)
{
	char path[4096];
	uint8_t fresh[STORE_SECRET];
	struct buf b = BUF(STORE_SECRET + 1);
	enum ec e = secret_path(cx, p, path);

	if (e != E_OK)
		return e;
	e = file_read(cx, path, &b);
	if (e == E_NOTFOUND) {
		random_octets(fresh, sizeof fresh);
		e = file_create(cx, path, 0600, (struct sl){ fresh, sizeof fresh });
		if (e == E_OK)
			e = place_give(cx, p, path);
		buf_add(&b, (struct sl){ fresh, sizeof fresh });
		explicit_bzero(fresh, sizeof fresh);
	}
	if (e == E_OK && b.n != STORE_SECRET)
		e = fail(cx, E_CORRUPT, text_of("%s must hold %d octets; remove it to have a new one made"), path,
			STORE_SECRET);
	if (e == E_OK)
		memcpy(p->store_secret, b.p, STORE_SECRET);
	buf_wipe(&b);
	buf_free(&b);
	return e;
}

/// Everything in the folder belongs to the store's user from now on. Links are not followed.
static enum ec give_to_store(struct cx *cx, char *path)
{
	char *paths[] = { path, NULL };
	uid_t uid;
	gid_t gid;
	int bad = 0;

	role_ids(ROLE_STORE, &uid, &gid);
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
	if (!fts)
		return fail(cx, E_IO, "walking %s: %m", path);
	for (FTSENT *f; (f = fts_read(fts));)
		if (f->fts_info != FTS_DP && f->fts_statp->st_uid != uid)
			bad |= lchown(f->fts_accpath, uid, gid);
	fts_close(fts);
	return bad ? fail(cx, E_IO, "giving %s to the store's user: %m", path) : E_OK;
}

enum ec place_data_path(struct cx *cx, struct place *p, char out[4096])
{
	return path_of(out, config_file(&p->config, sl_cstr(p->path), p->config.data))
	               ? E_OK
	               : fail(cx, E_TOOBIG, "%s", text_of("the path of the data folder is too long"));
}

enum ec place_data_fd(struct cx *cx, struct place *p, bool give, int *fd)
{
	char path[4096];
	struct stat st;
	uid_t uid;
	gid_t gid;

	role_ids(ROLE_STORE, &uid, &gid);
	enum ec e = place_data_path(cx, p, path);
	if (e != E_OK)
		return e;
	bool fresh = access(path, F_OK) < 0;
	e = file_folder(cx, path, 0700);
	if (e == E_OK && fresh)
		e = place_give(cx, p, path);
	if (e != E_OK)
		return wrap(cx, e, "%s", text_of("the data folder"));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0) {
		e = fail(cx, file_errno(errno), "%s: %m", path);
		if (dir >= 0)
			close(dir);
		return e;
	}
	if (geteuid() == 0 && (give || fresh) && st.st_uid != uid && role_is_ours(st.st_uid))
		e = give_to_store(cx, path);
	if (e == E_OK)
		*fd = dir;
	else
		close(dir);
	return e;
}

enum ec place_give_data(struct cx *cx, struct place *p)
{
	char path[4096];
	struct stat st;
	uid_t uid;
	gid_t gid;

	role_ids(ROLE_STORE, &uid, &gid);
	enum ec e = place_data_path(cx, p, path);
	if (e != E_OK)
		return e;
	if (geteuid() != 0 || stat(path, &st) < 0 || st.st_uid != uid)
		return E_OK;
	return give_to_store(cx, path);
}

/// The folder of a path's last part: what has no `/` is in the working folder.
static bool parent_of(const char *path, char out[4096])
{
	struct sl s = sl_cstr(path);

	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	size_t slash = sl_rfind(s, '/');
	if (slash >= s.n)
		s = SL(".");
	else
		s = slash ? sl_head(s, slash) : SL("/");
	return path_of(out, s);
}

/// Goes from the folder `fd`, which it closes, up to the root. Whether one on the way is the one that `what` is about.
static bool is_within(int fd, const struct stat *what)
{
	struct stat now, before = { 0 };
	bool found = false;

	while (!found && fd >= 0 && fstat(fd, &now) == 0 &&
		(now.st_ino != before.st_ino || now.st_dev != before.st_dev)) {
		found = now.st_ino == what->st_ino && now.st_dev == what->st_dev;
		before = now;
		int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static int open_path(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/// in: dir — the folder, or where it is missing (not `itself`) the one above.
static enum ec is_apart_from(struct cx *cx, const char *dir, bool itself, const char *mine)
{
	struct stat a, b;

	if (stat(mine, &a) < 0 || stat(dir, &b) < 0)
		return E_OK; // what is not there is nowhere inside
	if (is_within(open_path(dir), &a))
		return fail(cx, E_EXISTS, "%s is within %s", dir, mine);
	return itself && is_within(open_path(mine), &b) ? fail(cx, E_EXISTS, "%s is within %s", mine, dir) : E_OK;
}

static bool is_root(const char *path)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat("/", &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

enum ec place_is_apart(struct cx *cx, struct place *p, const char *dir)
{
	static const char *const live[] = { "lock", "state", "index", "secret" };
	char data[4096], conf[4096], up[4096], one[4200];
	struct stat st;
	bool itself = stat(dir, &st) == 0;
	enum ec e = place_data_path(cx, p, data);

	if (e == E_OK && (!parent_of(p->path, conf) || !parent_of(dir, up)))
		e = fail(cx, E_TOOBIG, "path too long");
	if (e == E_OK && !itself && stat(up, &st) < 0)
		e = fail(cx, file_errno(errno), "%s: %m", up);
	if (e == E_OK)
		e = is_apart_from(cx, itself ? dir : up, itself, data);
	if (e == E_OK && !is_root(conf)) // everything is within that
		e = is_apart_from(cx, itself ? dir : up, itself, conf);
	if (e == E_OK && snprintf(one, sizeof one, "%s/log", dir) < (int)sizeof one)
		e = is_apart_from(cx, one, false, data);
	for (size_t i = 0; e == E_OK && i < ARRAY_N(live); i++) {
		int n = snprintf(one, sizeof one, "%s/%s", dir, live[i]);
		if (n > 0 && n < (int)sizeof one && access(one, F_OK) == 0)
			e = fail(cx, E_EXISTS, "%s: this is a store or an installation", one);
	}
	return e;
}

bool place_has_parent(struct place *p, char parent[4096])
{
	char data[4096];

	return path_of(data, config_file(&p->config, sl_cstr(p->path), p->config.data)) && parent_of(data, parent) &&
	       access(parent, F_OK) == 0;
}

enum ec place_socket(struct cx *cx, struct place *p, const char *name, char out[108])
{
	char path[4096];
	struct buf b = BUF(107);

	buf_add(&b, config_file(&p->config, sl_cstr(p->path), p->config.run));
	buf_printf(&b, "/%s", name);
	bool ok = b.err == E_OK && path_of(path, buf_sl(&b));
	if (ok)
		memcpy(out, path, b.n + 1);
	buf_free(&b);
	return ok ? E_OK
	          : fail(cx, E_TOOBIG, "%s",
			    text_of("run: a socket's path has at most 107 octets; use a shorter folder"));
}

enum ec place_keep(struct cx *cx, struct place *fresh, const struct place *old, struct buf *names)
{
	enum ec e = config_keep(cx, &fresh->config, &old->config, names);

	if (e != E_OK || names->n == 0)
		return e;
	buf_clear(&fresh->text);
	config_print(&fresh->text, &fresh->config, false);
	return fresh->text.err ? fail(cx, fresh->text.err, "the configuration is too long") : E_OK;
}

struct bundle place_bundle(const struct place *p, const uint8_t ticket_key[TICKET_KEY], bool for_store)
{
	struct bundle b = { .path = sl_cstr(p->path), .text = buf_sl(&p->text), .n_certs = for_store ? 0 : p->n_certs };

	for (size_t i = 0; i < b.n_certs; i++)
		b.cert[i] = buf_sl(&p->certs[i]);
	memcpy(b.ticket_key, ticket_key, TICKET_KEY);
	if (for_store)
		memcpy(b.store_secret, p->store_secret, STORE_SECRET);
	return b;
}
