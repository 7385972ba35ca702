/// backup — see the header.
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "store/disk.h"

enum {
	STEP_OCTETS = 1 << 20,
	NAMES_MAX = 1 << 20,
	MANIFEST_MAX = 64 << 20,
	NEW_NAME = SEG_NAME + 8,
};

// ---- folders

/// A folder that was made is there after a power cut, too; where the one above may not be read nobody can see to it.
static enum ec flush_parent(struct cx *cx, int fd)
{
	int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool bad = up < 0 ? errno != EACCES : fsync(up) < 0;
	enum ec e = bad ? disk_error(cx, -errno, "flush of a folder") : E_OK;

	if (up >= 0)
		close(up);
	return e;
}

static enum ec open_folder(struct cx *cx, const char *path, const char *sub, bool make, int *out)
{
	char whole[2048];
	int n = snprintf(whole, sizeof whole, "%s%s%s", path, sub ? "/" : "", sub ? sub : "");

	if (n < 0 || n >= (int)sizeof whole)
		return fail(cx, E_TOOBIG, "path too long: %s", path);
	bool made = make && mkdir(whole, 0700) == 0;
	if (make && !made && errno != EEXIST)
		return disk_error(cx, -errno, whole);
	int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (sub ? O_NOFOLLOW : 0));
	if (fd < 0)
		return disk_error(cx, -errno, whole);
	enum ec e = made ? flush_parent(cx, fd) : E_OK;
	if (e == E_OK)
		*out = fd;
	else
		close(fd);
	return e;
}

/// What root writes into somebody's folder is his.
static enum ec give(struct cx *cx, const struct backup *b, int fd)
{
	return !b->give || fchown(fd, b->uid, b->gid) == 0 ? E_OK : disk_error(cx, -errno, "giving a file away");
}

/// A new file in a folder that may belong to somebody else: what has the name, a link perhaps, goes first.
static enum ec make_file(struct cx *cx, const struct backup *b, int dir, const char *name, int *out)
{
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return disk_error(cx, -errno, name);
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_error(cx, -errno, name);
	enum ec e = give(cx, b, fd);
	if (e == E_OK)
		*out = fd;
	else
		close(fd);
	return e;
}

enum ec backup_put(struct cx *cx, const struct backup *b, const char *name, struct sl text)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { .from = text.p };
	struct iovec iov = { p.to, text.n };
	char fresh[64];
	int fd = -1;

	snprintf(fresh, sizeof fresh, "%s.new", name);
	enum ec e = make_file(cx, b, b->dir, fresh, &fd);
	if (e)
		return e;
	e = disk_write(cx, &disk_real, fd, &iov, 1, 0);
	if (e == E_OK && fsync(fd))
		e = disk_error(cx, -errno, name);
	close(fd);
	if (e == E_OK && (renameat(b->dir, fresh, b->dir, name) || fsync(b->dir)))
		e = disk_error(cx, -errno, name);
	return e;
}

/// Only what is really called like a segment: a manifest may come from anywhere.
static bool is_segment(const char *name)
{
	uint32_t id;

	return seg_name_parse(name, &id);
}

static uint32_t id_of(const char *name)
{
	uint32_t id = 0;

	(void)seg_name_parse(name, &id);
	return id;
}

/// Notes a file that is to be told of.
static void note(uint64_t *count, struct buf *names, const char *name)
{
	++*count;
	buf_printf(names, " %s", name); // what does not fit is counted
}

static uint64_t size_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

// ---- what is to be done

/// Of a segment of the store: whether it is complete, and how large it is now.
static enum ec take_segment(struct cx *cx, void *arg, const char *name)
{
	struct backup *b = arg;
	struct backup_file f = { 0 };
	const struct seg_head *known = inventory_find(&b->stock, id_of(name));
	struct seg_head head = { 0 };
	uint8_t octets[SEG_HEAD];
	struct iovec iov = { octets, sizeof octets };
	struct stat st;

	if (!is_segment(name))
		return E_OK;
	memcpy(f.name, name, SEG_NAME - 4);
	int fd = openat(b->from, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return E_OK; // a body that was given up; or others went too, and store_hold tells
	if (fd < 0)
		return disk_error(cx, -errno, name);
	enum ec e = fstat(fd, &st) < 0 ? disk_error(cx, -errno, name) : disk_read(cx, fd, &iov, 1, 0);
	close(fd);
	if (e == E_RANGE)
		return E_OK; // just being made
	if (e == E_OK)
		e = seg_decode(NULL, (struct sl){ octets, sizeof octets }, &head);
	if (e == E_CORRUPT && known) // the second copy is good
		head = *known;
	if (e == E_CORRUPT) // where it is not either, restore and start will see
		e = E_OK;
	if (e || (head.kind != SEG_PACK && id_of(name) >= b->segment))
		return e; // begun since the store was held: nothing that is listed names what is in it
	f.bulk = head.kind == SEG_BULK;
	f.octets = (uint64_t)st.st_size;
	f.changed_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	b->total += f.octets;
	return manifest_add(cx, &b->list, &f);
}

/// The header of a file that is in the backup. errors: E_NOTFOUND, E_CORRUPT, E_UNSUPPORTED, E_IO, E_TEMP.
static enum ec head_there(struct cx *cx, const struct backup *b, const char *name, struct seg_head *out)
{
	struct segfile f;
	enum ec e = segfile_open(cx, b->to, id_of(name), &f);

	if (e)
		return e;
	*out = f.head;
	segfile_close(&f);
	return E_OK;
}

static bool is_unreadable(enum ec e)
{
	return e == E_NOTFOUND || e == E_CORRUPT || e == E_UNSUPPORTED;
}

/// What is to be done about a segment of the store. in: o — what the last backup says of it, or NULL.
static enum ec judge(struct cx *cx, struct backup *b, struct backup_file *f, const struct backup_file *o)
{
	const struct seg_head *mine = inventory_find(&b->stock, id_of(f->name));
	struct seg_head there;
	enum ec e = head_there(cx, b, f->name, &there);

	if (e && !is_unreadable(e))
		return e;
	if (e == E_OK && mine && memcmp(&mine->nonce, &there.nonce, sizeof there.nonce) != 0)
		return fail(cx, E_EXISTS, "%s there is another than the store's", f->name);
	cx_forget(cx);
	if (e || !o || size_of(b->to, f->name) < o->octets || (o->damaged && o->changed_ns != f->changed_ns))
		return E_OK; // TODO_COPY
	bool same = o->octets == f->octets && o->changed_ns == f->changed_ns;
	f->crc = o->crc;
	f->damaged = o->damaged;
	f->todo = same && !b->verify ? TODO_THERE : TODO_COMPARE;
	f->old_octets = f->fixed = o->octets;
	f->old_changed_ns = o->changed_ns;
	f->old_crc = o->crc;
	if (f->todo == TODO_COMPARE && there.kind == SEG_BULK)
		e = inventory_finished(cx, b->to, id_of(f->name), &f->fixed);
	if (f->fixed > o->octets)
		f->fixed = o->octets;
	return e;
}

/// Whether a pack of the store stands for a segment and those before it from `oldest` on.
/// in: than — a pack newer than this; whole — its copy in the backup is whole.
static bool is_packed(const struct backup *b, const struct seg_head *h, uint32_t oldest, uint32_t than, bool whole)
{
	char name[SEG_NAME];
	uint32_t pack = inventory_pack(&b->stock, h->kind, oldest, h->id);

	seg_name(pack, name);
	const struct backup_file *f = manifest_find(&b->list, name);
	return pack > than && (!whole || (f && !f->damaged));
}

/// Whether packs stand for a segment, or for all that a pack stands for.
static enum ec is_explained(struct cx *cx, const struct backup *b, const char *name, bool whole, bool *out)
{
	struct segfile f;
	enum ec e = segfile_open(cx, b->to, id_of(name), &f);

	*out = false;
	if (is_unreadable(e)) {
		cx_forget(cx);
		return E_OK;
	}
	if (e)
		return e;
	*out = f.head.kind == SEG_PACK || is_packed(b, &f.head, f.head.id, 0, whole);
	for (size_t i = 0; i < f.map.n; i++) {
		const struct pack_section *s = &f.map.sections[i];
		*out &= is_packed(b, &s->head, s->oldest, f.head.id, whole);
	}
	segfile_close(&f);
	return E_OK;
}

/// A bulk segment without a finished body is nothing to lose: the store removes such ones.
static bool is_empty_bulk(struct cx *cx, const struct backup *b, const char *name)
{
	struct seg_head head;
	uint64_t end = 0;
	bool empty = head_there(cx, b, name, &head) == E_OK && head.kind == SEG_BULK &&
	             inventory_finished(cx, b->to, head.id, &end) == E_OK && end == SEG_DATA;

	cx_forget(cx);
	return empty;
}

/// A file of the last backup that the store has no more.
static enum ec keep_lost(struct cx *cx, struct backup *b, const struct backup_file *o)
{
	struct backup_file f = *o;
	struct seg_head head;
	bool explained = false;
	enum ec e = head_there(cx, b, o->name, &head);

	if (e == E_OK && head.kind == SEG_LOG && head.id >= b->segment)
		return fail(cx, E_EXISTS, "%s there is newer than all that the store has", o->name);
	cx_forget(cx);
	e = is_explained(cx, b, o->name, false, &explained);
	if (e || explained || is_empty_bulk(cx, b, o->name) || size_of(b->to, o->name) < o->octets)
		return e;
	f.todo = TODO_KEEP;
	note(&b->kept, &b->kept_names, f.name);
	b->total += f.octets;
	return manifest_add(cx, &b->list, &f);
}

/// Compares what the store has with what an earlier backup brought here. Changes nothing.
static enum ec plan(struct cx *cx, struct backup *b)
{
	struct manifest old = MANIFEST_NEW;
	enum ec e = manifest_read(cx, b->dir, &old);

	if (e == E_NOTFOUND) {
		cx_forget(cx);
		e = E_OK;
	}
	if (e == E_OK && old.store && b->stock.store != old.store)
		e = fail(cx, E_EXISTS, "the backup there is of another store");
	manifest_sort(&b->list);
	size_t n = manifest_count(&b->list);
	for (size_t i = 0; e == E_OK && i < n; i++) {
		struct backup_file *f = manifest_at(&b->list, i);
		e = judge(cx, b, f, manifest_find(&old, f->name));
	}
	for (size_t i = 0; e == E_OK && i < manifest_count(&old); i++) {
		struct manifest mine = { .files = { .p = b->list.files.p, .n = n * sizeof(struct backup_file) } };
		if (!manifest_find(&mine, manifest_at(&old, i)->name))
			e = keep_lost(cx, b, manifest_at(&old, i));
	}
	manifest_sort(&b->list);
	b->list.store = b->stock.store;
	buf_free(&old.files);
	return e;
}

static struct backup fresh(void)
{
	return (struct backup){
		.from = -1,
		.to = -1,
		.dir = -1,
		.in = -1,
		.out = -1,
		.list = MANIFEST_NEW,
		.kept_names = BUF(NAMES_MAX),
		.damaged_names = BUF(NAMES_MAX),
	};
}

/// B6: whose folder it is, where nobody but him may write.
static enum ec owner_of(struct cx *cx, int fd, const char *name, struct stat *out)
{
	if (fstat(fd, out) < 0)
		return disk_error(cx, -errno, name);
	return out->st_mode & (S_IWGRP | S_IWOTH) ? fail(cx, E_DENIED, "others may write to %s", name) : E_OK;
}

/// Opens the folder of a backup; where root writes into another's, what is new there is his.
static enum ec open_target(struct cx *cx, const char *dir, struct backup *b)
{
	struct stat st, log;
	enum ec e = open_folder(cx, dir, NULL, true, &b->dir);

	if (e == E_OK)
		e = owner_of(cx, b->dir, dir, &st);
	if (e)
		return e;
	b->uid = st.st_uid;
	b->gid = st.st_gid;
	b->give = geteuid() == 0 && st.st_uid != 0;
	e = open_folder(cx, dir, "log", true, &b->to);
	if (e == E_OK)
		e = owner_of(cx, b->to, "log", &log);
	if (e == E_OK && log.st_uid != st.st_uid && log.st_uid != geteuid())
		e = fail(cx, E_DENIED, "log is another's than %s", dir);
	return e ? e : give(cx, b, b->to);
}

enum ec backup_begin(
	struct cx *cx, const char *data, const char *dir, uint32_t segment, bool verify, struct backup *out)
{
	struct backup b = fresh();

	b.segment = segment;
	b.verify = verify;
	enum ec e = open_folder(cx, data, "log", false, &b.from);
	if (e == E_OK)
		e = open_target(cx, dir, &b);
	if (e == E_OK)
		e = inventory_read(cx, b.from, &b.stock);
	if (e == E_OK)
		e = disk_each_name(cx, b.from, take_segment, &b);
	if (e == E_OK)
		e = plan(cx, &b);
	if (e)
		backup_end(&b);
	else
		*out = b;
	return e;
}

// ---- what is to be brought back

static enum ec refuse_segment(struct cx *cx, void *arg, const char *name)
{
	(void)arg;
	return !is_segment(name) ? E_OK : fail(cx, E_EXISTS, "there is %s", name);
}

/// Opens the folder that a backup is to be brought back to. What a restore left there that was killed goes.
static enum ec open_emptied(struct cx *cx, const char *data, struct backup *b)
{
	enum ec e = open_folder(cx, data, NULL, true, &b->dir);

	if (e == E_OK)
		e = open_folder(cx, data, "log", true, &b->to);
	if (e == E_OK && faccessat(b->dir, "restoring", F_OK, 0) == 0)
		restore_undo(b);
	if (e == E_OK)
		e = disk_each_name(cx, b->to, refuse_segment, NULL);
	return e ? e : backup_put(cx, b, "restoring", SL(""));
}

enum ec restore_begin(struct cx *cx, const char *dir, const char *data, bool anyway, struct backup *out)
{
	struct backup b = fresh();
	enum ec e = open_folder(cx, dir, "log", false, &b.from);

	b.restoring = true;
	b.anyway = anyway;
	if (e == E_OK)
		e = open_folder(cx, dir, NULL, false, &b.dir);
	if (e == E_OK)
		e = manifest_read(cx, b.dir, &b.list);
	if (b.dir >= 0)
		close(b.dir);
	b.dir = -1;
	if (e == E_OK)
		e = open_emptied(cx, data, &b);
	for (size_t i = 0; e == E_OK && i < manifest_count(&b.list); i++)
		b.total += manifest_at(&b.list, i)->octets;
	if (e)
		backup_end(&b);
	else
		*out = b;
	return e;
}

// ---- doing it

static void new_name(const struct backup_file *f, char out[static NEW_NAME])
{
	snprintf(out, NEW_NAME, "%s.new", f->name);
}

static void close_files(struct backup *b)
{
	if (b->in >= 0)
		close(b->in);
	if (b->out >= 0)
		close(b->out);
	b->in = b->out = -1;
}

/// A file of a backup that is shorter than it was, or is not there: no more of it than there is.
static enum ec take_what_is(struct cx *cx, struct backup *b, struct backup_file *f)
{
	uint64_t octets = b->in < 0 ? 0 : size_of(b->from, f->name);

	if (octets >= f->octets)
		return E_OK;
	if (!b->anyway)
		return fail(cx, E_CORRUPT, b->in < 0 ? "%s is not there" : "%s is shorter than it was", f->name);
	b->total -= f->octets - octets;
	f->octets = octets;
	f->damaged = true;
	return E_OK;
}

static enum ec begin_file(struct cx *cx, struct backup *b, struct backup_file *f)
{
	char name[NEW_NAME];
	enum ec e = E_OK;

	new_name(f, name);
	b->at = 0;
	b->crc = 0;
	b->differs = false;
	if (b->restoring)
		f->damaged = false; // from here on: whether it is what was backed up
	b->in = openat(b->from, f->name, O_RDONLY | O_CLOEXEC);
	if (b->in < 0 && !(b->restoring && errno == ENOENT))
		return disk_error(cx, -errno, f->name);
	if (b->restoring)
		e = take_what_is(cx, b, f);
	if (e == E_OK && f->todo != TODO_COMPARE)
		return make_file(cx, b, b->to, name, &b->out);
	if (e == E_OK)
		b->out = openat(b->to, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return e == E_OK && b->out < 0 ? disk_error(cx, -errno, f->name) : e;
}

static enum ec end_copy(struct cx *cx, struct backup *b, struct backup_file *f)
{
	char name[NEW_NAME];
	bool whole = true;

	new_name(f, name);
	if (b->restoring && b->crc != f->crc && !b->anyway)
		return fail(cx, E_CORRUPT, "%s is not what was backed up: its checksum differs", f->name);
	f->damaged |= b->restoring && b->crc != f->crc;
	if (fsync(b->out) || (!b->restoring && renameat(b->to, name, b->to, f->name)))
		return disk_error(cx, -errno, f->name);
	close_files(b);
	b->copied++;
	b->copied_octets += f->octets;
	if (b->restoring)
		return E_OK;
	f->crc = b->crc;
	enum ec e = inventory_vouch(cx, &b->stock, b->to, id_of(f->name), &whole);
	f->damaged = !whole;
	return e;
}

/// Both are read. Where the backup's is as it was, it stays unless the store's merely goes on behind it.
static enum ec end_compare(struct cx *cx, struct backup *b, struct backup_file *f)
{
	(void)cx;
	close_files(b);
	if (b->crc != f->old_crc || (!b->differs && f->octets != f->old_octets)) {
		f->todo = TODO_COPY;
		return E_OK;
	}
	f->todo = TODO_THERE;
	b->done += f->octets;
	if (!b->differs)
		return E_OK;
	f->todo = TODO_KEEP;
	f->octets = f->old_octets;
	f->changed_ns = f->old_changed_ns;
	note(&b->kept, &b->kept_names, f->name);
	return E_OK;
}

/// The next octets of both files. What of the store's cannot be read differs.
static enum ec compare_some(struct cx *cx, struct backup *b, const struct backup_file *f, uint8_t *room)
{
	size_t n = f->old_octets - b->at < STEP_OCTETS ? (size_t)(f->old_octets - b->at) : STEP_OCTETS;
	size_t fixed = b->at >= f->fixed ? 0 : f->fixed - b->at < n ? (size_t)(f->fixed - b->at) : n;
	struct iovec theirs = { room, n }, mine = { room + STEP_OCTETS, fixed };
	enum ec e = disk_read(cx, b->out, &theirs, 1, b->at);

	if (e == E_RANGE || e == E_IO) { // the backup's is not good any more
		cx_forget(cx);
		b->crc = ~f->old_crc;
		b->at = f->old_octets;
		return E_OK;
	}
	b->crc = crc32c(b->crc, (struct sl){ room, n });
	if (e == E_OK && fixed &&
		(disk_read(cx, b->in, &mine, 1, b->at) || memcmp(room, room + STEP_OCTETS, fixed) != 0))
		b->differs = true;
	b->at += n;
	return e;
}

/// A body that was given up is cut off; what the log names ends before it. What was copied of it does no harm.
static enum ec shorten(struct cx *cx, struct backup *b, struct backup_file *f)
{
	struct stat st;

	if (fstat(b->in, &st) < 0)
		return disk_error(cx, -errno, f->name);
	uint64_t size = (uint64_t)st.st_size, now = size > b->at ? size : b->at;
	if (now < f->octets && now < f->fixed)
		return fail(cx, E_CORRUPT, "%s has become shorter", f->name);
	if (now < f->octets) {
		b->total -= f->octets - now;
		f->octets = now;
	}
	return E_OK;
}

/// The next octets of the file under way.
static enum ec copy_some(struct cx *cx, struct backup *b, struct backup_file *f, uint8_t *room)
{
	enum ec e = f->bulk ? shorten(cx, b, f) : E_OK;
	size_t n = f->octets - b->at < STEP_OCTETS ? (size_t)(f->octets - b->at) : STEP_OCTETS;
	struct iovec in = { room, n }, out = { room, n };

	if (e == E_OK && n)
		e = disk_read(cx, b->in, &in, 1, b->at);
	if (e == E_RANGE && f->bulk)
		return E_OK; // cut off just now: the next step sees how far
	if (e == E_RANGE)
		e = fail(cx, E_CORRUPT, "%s has become shorter", f->name);
	if (e == E_OK)
		e = disk_write(cx, &disk_real, b->out, &out, 1, b->at);
	if (e == E_OK)
		b->crc = crc32c(b->crc, (struct sl){ room, n });
	b->at += n;
	b->done += n;
	return e;
}

/// Some of one file; *over once it is done with.
static enum ec one_step(struct cx *cx, struct backup *b, struct backup_file *f, bool *over)
{
	bool compare = f->todo == TODO_COMPARE;
	uint8_t *room = malloc(2 * (size_t)STEP_OCTETS);
	enum ec e = !room ? fail(cx, E_TEMP, "no memory to copy") : b->out < 0 ? begin_file(cx, b, f) : E_OK;

	if (e == E_OK)
		e = compare ? compare_some(cx, b, f, room) : copy_some(cx, b, f, room);
	free(room);
	if (e == E_OK && b->at >= (compare ? f->old_octets : f->octets))
		e = compare ? end_compare(cx, b, f) : end_copy(cx, b, f);
	*over = b->out < 0 && f->todo != TODO_COPY;
	*over |= b->out < 0 && !compare;
	return e;
}

/// A bulk segment goes where the only body in it was given up.
static void leave_out(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	cx_forget(cx);
	b->total -= f->octets;
	manifest_leave_out(&b->list, b->next);
}

enum ec backup_step(struct cx *cx, struct backup *b, bool *more)
{
	bool over;

	while (b->next < manifest_count(&b->list) && (manifest_at(&b->list, b->next)->todo == TODO_THERE ||
							     manifest_at(&b->list, b->next)->todo == TODO_KEEP))
		b->done += manifest_at(&b->list, b->next++)->octets;
	*more = b->next < manifest_count(&b->list);
	if (!*more)
		return E_OK;
	struct backup_file *f = manifest_at(&b->list, b->next);
	enum ec e = one_step(cx, b, f, &over);
	if (e == E_NOTFOUND && f->bulk && f->fixed <= SEG_DATA) {
		leave_out(cx, b, f);
		return E_OK;
	}
	b->next += e == E_OK && over;
	return e;
}

// ---- the end

/// B2: a file that the backup does not list.
static enum ec remove_unlisted(struct cx *cx, void *arg, const char *name)
{
	struct backup *b = arg;
	bool needless = false;

	if (!is_segment(name) || manifest_find(&b->list, name))
		return E_OK;
	enum ec e = is_explained(cx, b, name, true, &needless);
	if (e == E_OK && (needless || is_empty_bulk(cx, b, name)))
		(void)unlinkat(b->to, name, 0); // a restore goes by the manifest
	return e;
}

enum ec backup_finish(struct cx *cx, struct backup *b)
{
	struct buf text = BUF(MANIFEST_MAX);

	for (size_t i = 0; i < manifest_count(&b->list); i++)
		if (manifest_at(&b->list, i)->damaged)
			note(&b->damaged, &b->damaged_names, manifest_at(&b->list, i)->name);
	manifest_print(&b->list, &text);
	enum ec e = text.err ? fail(cx, E_TEMP, "no memory for the manifest") : E_OK;
	if (e == E_OK && fsync(b->to))
		e = disk_error(cx, -errno, "flush of the backup's folder");
	if (e == E_OK)
		e = backup_put(cx, b, "manifest", buf_sl(&text));
	buf_free(&text);
	return e ? e : disk_each_name(cx, b->to, remove_unlisted, b);
}

/// Gives a file that was brought back its name. One without a header would keep the store from starting.
static enum ec name_file(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	char name[NEW_NAME];
	struct segfile seg;

	new_name(f, name);
	if (renameat(b->to, name, b->to, f->name))
		return disk_error(cx, -errno, f->name);
	if (!f->damaged)
		return E_OK;
	note(&b->damaged, &b->damaged_names, f->name);
	enum ec e = segfile_open(cx, b->to, id_of(f->name), &seg);
	if (e == E_OK) {
		segfile_close(&seg);
		return E_OK;
	}
	if (!is_unreadable(e))
		return e;
	cx_forget(cx);
	b->left_out++;
	return unlinkat(b->to, f->name, 0) ? disk_error(cx, -errno, f->name) : E_OK;
}

enum ec restore_finish(struct cx *cx, struct backup *b)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < manifest_count(&b->list); i++)
		e = name_file(cx, b, manifest_at(&b->list, i));
	if (e == E_OK && fsync(b->to))
		e = disk_error(cx, -errno, "flush of the log's folder");
	if (e == E_OK)
		e = backup_put(cx, b, "restored", SL(""));
	if (e == E_OK && (unlinkat(b->dir, "restoring", 0) || fsync(b->dir)))
		e = disk_error(cx, -errno, "restoring");
	return e;
}

static enum ec undo_one(struct cx *cx, void *arg, const char *name)
{
	const struct backup *b = arg;
	struct sl s = sl_cstr(name);

	(void)cx;
	if (is_segment(name) || sl_eq(sl_from(s, s.n < 8 ? 0 : s.n - 8), SL(".seg.new")))
		(void)unlinkat(b->to, name, 0);
	return E_OK;
}

void restore_undo(struct backup *b)
{
	close_files(b);
	if (disk_each_name(NULL, b->to, undo_one, b) == E_OK && fsync(b->to) == 0)
		(void)unlinkat(b->dir, "restoring", 0); // else the next restore does the same
}

void backup_end(struct backup *b)
{
	int fds[] = { b->in, b->out, b->from, b->to, b->dir };

	for (size_t i = 0; i < ARRAY_N(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_free(&b->list.files);
	buf_free(&b->kept_names);
	buf_free(&b->damaged_names);
	inventory_free(&b->stock);
}
