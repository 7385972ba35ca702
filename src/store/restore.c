/// restore — see the header.
#include "store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/disk.h"
#include "store/inventory.h"

// ---- what is to be brought back

static enum ec refuse_segment(struct cx *cx, void *arg, const char *name)
{
	uint32_t id;

	(void)arg;
	return !seg_name_parse(name, &id) ? E_OK : fail(cx, E_EXISTS, "there is %s", name);
}

/// Opens the folder that a backup is to be brought back to, for this restore alone. What a restore left there
/// that was killed goes.
static enum ec open_emptied(struct cx *cx, const char *data, struct restore *r)
{
	enum ec e = copy_folder(cx, data, NULL, true, &r->to.dir);

	if (e == E_OK && flock(r->to.dir, LOCK_EX | LOCK_NB))
		e = errno == EWOULDBLOCK ? fail(cx, E_CONFLICT, "another restore") : disk_error(cx, -errno, "flock");
	if (e == E_OK)
		e = copy_folder(cx, data, "log", true, &r->to.log);
	if (e == E_OK && faccessat(r->to.dir, "restoring", F_OK, 0) == 0)
		restore_undo(r);
	if (e == E_OK)
		e = disk_each_name(cx, r->to.log, refuse_segment, NULL);
	return e ? e : copy_put(cx, &r->to, "restoring", SL(""));
}

static enum ec read_list(struct cx *cx, const char *dir, struct manifest *list)
{
	int fd = -1;
	enum ec e = copy_folder(cx, dir, NULL, false, &fd);

	if (e)
		return e;
	e = manifest_read(cx, fd, list);
	close(fd);
	return e;
}

enum ec restore_begin(struct cx *cx, const char *dir, const char *data, bool anyway, struct restore *out)
{
	struct restore r = {
		.from = -1,
		.to = COPY_TARGET_NEW,
		.list = MANIFEST_NEW,
		.damaged = MANIFEST_NAMES_NEW,
		.before = MANIFEST_NAMES_NEW,
		.file = COPY_NEW,
		.anyway = anyway,
	};
	enum ec e = copy_folder(cx, dir, "log", false, &r.from);

	if (e == E_OK)
		e = read_list(cx, dir, &r.list);
	if (e == E_OK)
		e = open_emptied(cx, data, &r);
	for (size_t i = 0; e == E_OK && i < manifest_count(&r.list); i++)
		r.count.total += manifest_at(&r.list, i)->octets;
	if (e)
		restore_end(&r);
	else
		*out = r;
	return e;
}

// ---- doing it

/// A file of a backup that is shorter than it was, or is not there: no more of it than there is.
static enum ec take_what_is(struct cx *cx, struct restore *r, struct backup_file *f)
{
	bool there = r->file.in >= 0;
	uint64_t octets = there ? copy_size(r->from, f->name) : 0;

	if (octets >= f->octets)
		return E_OK;
	if (!r->anyway)
		return fail(cx, E_CORRUPT, there ? "%s is shorter than it was" : "%s is not there", f->name);
	r->count.total -= f->octets - octets;
	f->octets = octets;
	f->damaged = true;
	return E_OK;
}

static enum ec begin_file(struct cx *cx, struct restore *r, struct backup_file *f)
{
	char name[COPY_NEW_NAME];

	copy_new_name(f->name, name);
	if (f->damaged)
		manifest_note(&r->before, f->name);
	f->damaged = false; // from here on: whether it is what was backed up
	r->file = COPY_NEW;
	enum ec e = copy_open(cx, r->from, f->name, &r->file.in);
	if (e && e != E_NOTFOUND && e != E_CORRUPT)
		return e;
	cx_forget(cx);
	e = take_what_is(cx, r, f);
	return e ? e : copy_make(cx, &r->to, r->to.log, name, &r->file.out);
}

static enum ec end_file(struct cx *cx, struct restore *r, struct backup_file *f)
{
	bool same = r->file.crc == f->crc;

	if (!same && !r->anyway)
		return fail(cx, E_CORRUPT, "%s is not what was backed up: its checksum differs", f->name);
	f->damaged |= !same;
	if (fsync(r->file.out))
		return disk_error(cx, -errno, f->name);
	copy_close(&r->file);
	r->count.files++;
	r->count.octets += f->octets;
	r->next++;
	return E_OK;
}

enum ec restore_step(struct cx *cx, struct restore *r, bool *more)
{
	*more = r->next < manifest_count(&r->list);
	if (!*more)
		return E_OK;
	struct backup_file *f = manifest_at(&r->list, r->next);
	enum ec e = r->file.out < 0 ? begin_file(cx, r, f) : E_OK;
	uint64_t at = r->file.at;
	if (e == E_OK && at < f->octets)
		e = copy_some(cx, &r->file, f->octets);
	if (e == E_RANGE)
		e = fail(cx, E_CORRUPT, "%s has become shorter", f->name);
	r->count.done += r->file.at - at;
	return e == E_OK && r->file.at >= f->octets ? end_file(cx, r, f) : e;
}

// ---- the end

/// Gives a file that was brought back its name. One without a header would keep the store from starting.
static enum ec name_file(struct cx *cx, struct restore *r, const struct backup_file *f)
{
	char name[COPY_NEW_NAME];
	struct segfile seg;

	copy_new_name(f->name, name);
	if (renameat(r->to.log, name, r->to.log, f->name))
		return disk_error(cx, -errno, f->name);
	if (!f->damaged)
		return E_OK;
	manifest_note(&r->damaged, f->name);
	enum ec e = segfile_open(cx, r->to.log, manifest_id(f), &seg);
	if (e == E_OK) {
		segfile_close(&seg);
		return E_OK;
	}
	if (!inventory_is_damage(e))
		return e;
	cx_forget(cx);
	r->left_out++;
	return unlinkat(r->to.log, f->name, 0) ? disk_error(cx, -errno, f->name) : E_OK;
}

enum ec restore_finish(struct cx *cx, struct restore *r)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < manifest_count(&r->list); i++)
		e = name_file(cx, r, manifest_at(&r->list, i));
	if (e == E_OK && fsync(r->to.log))
		e = disk_error(cx, -errno, "flush of the log's folder");
	if (e == E_OK)
		e = copy_put(cx, &r->to, "restored", SL(""));
	if (e == E_OK && (unlinkat(r->to.dir, "restoring", 0) || fsync(r->to.dir)))
		e = disk_error(cx, -errno, "restoring");
	return e;
}

static enum ec undo_one(struct cx *cx, void *arg, const char *name)
{
	const struct restore *r = arg;
	struct sl s = sl_cstr(name);
	uint32_t id;

	(void)cx;
	if (seg_name_parse(name, &id) || sl_eq(sl_from(s, s.n < 8 ? 0 : s.n - 8), SL(".seg.new")))
		(void)unlinkat(r->to.log, name, 0);
	return E_OK;
}

void restore_undo(struct restore *r)
{
	copy_close(&r->file);
	if (disk_each_name(NULL, r->to.log, undo_one, r) == E_OK && fsync(r->to.log) == 0)
		(void)unlinkat(r->to.dir, "restoring", 0); // else the next restore does the same
}

void restore_end(struct restore *r)
{
	copy_close(&r->file);
	copy_target_end(&r->to);
	if (r->from >= 0)
		close(r->from);
	buf_free(&r->list.files);
	buf_free(&r->damaged.text);
	buf_free(&r->before.text);
}
