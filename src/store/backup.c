/// backup — see the header.
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "store/disk.h"
#include "store/standin.h"

// ---- what is to be done

/// Of a segment of the store: whether it is complete, and how large it is now.
static enum ec take_segment(struct cx *cx, void *arg, const char *name)
{
	struct backup *b = arg;
	struct backup_file f = { 0 };
	struct seg_head head = { 0 };
	uint8_t octets[SEG_HEAD];
	struct iovec iov = { octets, sizeof octets };
	struct stat st;
	uint32_t id;

	if (!seg_name_parse(name, &id))
		return E_OK;
	const struct seg_head *known = inventory_find(&b->stock, id);
	memcpy(f.name, name, SEG_NAME - 4);
	int fd = -1;
	enum ec e = copy_open(cx, b->from, name, &fd);
	if (e == E_CORRUPT)
		manifest_note(&b->damaged, name);
	if (e == E_NOTFOUND || e == E_CORRUPT) { // a body that was given up; or others went too, and store_hold tells
		cx_forget(cx);
		return E_OK;
	}
	if (e)
		return e;
	e = fstat(fd, &st) < 0 ? disk_error(cx, -errno, name) : disk_read(cx, fd, &iov, 1, 0);
	close(fd);
	if (e == E_RANGE)
		return E_OK; // just being made
	if (e == E_OK)
		e = seg_decode(NULL, (struct sl){ octets, sizeof octets }, &head);
	if (e == E_IO)
		e = E_CORRUPT;
	if (e == E_CORRUPT && known) // the second copy is good
		head = *known;
	if (e == E_CORRUPT) // where it is not either, restore and start will see
		e = E_OK;
	if (e || (head.kind != SEG_PACK && id >= b->segment))
		return e; // begun since the store was held: nothing that is listed names what is in it
	f.bulk = head.kind == SEG_BULK;
	f.octets = (uint64_t)st.st_size;
	f.changed_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	b->count.total += f.octets;
	return manifest_add(cx, &b->list, &f);
}

/// The header of a file that is in the backup. errors: E_NOTFOUND, E_CORRUPT, E_UNSUPPORTED, E_IO, E_TEMP.
static enum ec head_there(struct cx *cx, const struct backup *b, uint32_t id, struct seg_head *out)
{
	struct segfile f;
	enum ec e = segfile_open(cx, b->to.log, id, &f);

	if (e)
		return e;
	*out = f.head;
	segfile_close(&f);
	return E_OK;
}

/// How many sections were taken out of a pack's copy by an earlier backup (spare_pack). in: still — they still are.
static enum ec find_spared(struct cx *cx, struct backup *b, const struct backup_file *f, bool still, size_t *n)
{
	struct segfile there;
	enum ec e = segfile_open(cx, b->to.log, manifest_id(f), &there);

	if (e)
		return e;
	*n = inventory_others(&b->stock, manifest_id(f), &there.map, still);
	segfile_close(&there);
	if (*n && still && !b->verify) // comparing will tell
		manifest_note(&b->kept, f->name);
	return E_OK;
}

/// What is to be done about a segment of the store. in: o — what the last backup says of it, or NULL.
static enum ec judge(struct cx *cx, struct backup *b, struct backup_file *f, const struct backup_file *o)
{
	const struct seg_head *mine = inventory_find(&b->stock, manifest_id(f));
	struct seg_head there;
	enum ec e = head_there(cx, b, manifest_id(f), &there);

	if (e && !inventory_is_damage(e))
		return e;
	if (e == E_OK && mine && memcmp(&mine->nonce, &there.nonce, sizeof there.nonce) != 0)
		return fail(cx, E_EXISTS, "%s there is another than the store's", f->name);
	cx_forget(cx);
	if (e || !o || copy_size(b->to.log, f->name) < o->octets || (o->damaged && o->changed_ns != f->changed_ns))
		return E_OK; // TODO_COPY
	bool same = o->octets == f->octets && o->changed_ns == f->changed_ns;
	size_t spared = 0;
	if (there.kind == SEG_PACK)
		e = find_spared(cx, b, f, same, &spared);
	if (e || (spared && !same))
		return e; // TODO_COPY: it may be whole now
	f->crc = o->crc;
	f->damaged = o->damaged;
	f->todo = same && !b->verify ? TODO_THERE : TODO_COMPARE;
	f->old_octets = f->fixed = o->octets;
	f->old_changed_ns = o->changed_ns;
	f->old_crc = o->crc;
	if (f->todo == TODO_COMPARE && there.kind == SEG_BULK)
		e = inventory_finished(cx, b->to.log, manifest_id(f), &f->fixed);
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
static enum ec is_explained(struct cx *cx, const struct backup *b, uint32_t id, bool whole, bool *out)
{
	struct segfile f;
	enum ec e = segfile_open(cx, b->to.log, id, &f);

	*out = false;
	if (inventory_is_damage(e)) {
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
static bool is_empty_bulk(struct cx *cx, const struct backup *b, uint32_t id)
{
	struct seg_head head;
	uint64_t end = 0;
	bool empty = head_there(cx, b, id, &head) == E_OK && head.kind == SEG_BULK &&
	             inventory_finished(cx, b->to.log, id, &end) == E_OK && end == SEG_DATA;

	cx_forget(cx);
	return empty;
}

/// Lists a file of the last backup that is better than what the store has.
static enum ec keep(struct cx *cx, struct backup *b, const struct backup_file *o)
{
	struct backup_file f = *o;

	f.todo = TODO_KEEP;
	manifest_note(&b->kept, f.name);
	b->count.total += f.octets;
	return manifest_add(cx, &b->list, &f);
}

/// A file of the last backup that the store has no more.
static enum ec keep_lost(struct cx *cx, struct backup *b, const struct backup_file *o)
{
	struct seg_head head;
	bool explained = false;
	enum ec e = head_there(cx, b, manifest_id(o), &head);

	if (e == E_OK && head.kind == SEG_LOG && head.id >= b->segment)
		return fail(cx, E_EXISTS, "%s there is newer than all that the store has", o->name);
	cx_forget(cx);
	e = is_explained(cx, b, manifest_id(o), false, &explained);
	if (e || is_empty_bulk(cx, b, manifest_id(o)))
		return e;
	if (copy_size(b->to.log, o->name) < o->octets) {
		b->holes = true;
		return E_OK;
	}
	e = manifest_add(cx, &b->gone, o);
	return e || explained ? e : keep(cx, b, o);
}

/// Bulk segments that are new here: what of the log may name bodies in them is read, though it is here already.
static void read_namers(struct backup *b)
{
	uint32_t least = 0;

	for (size_t i = 0; i < manifest_count(&b->list); i++) {
		const struct backup_file *f = manifest_at(&b->list, i);
		if (f->bulk && f->todo == TODO_COPY && (!least || manifest_id(f) < least))
			least = manifest_id(f);
	}
	uint32_t from = inventory_log_before(&b->stock, least);
	for (size_t i = 0; least && i < manifest_count(&b->list); i++) {
		struct backup_file *f = manifest_at(&b->list, i);
		if (!f->bulk && f->todo == TODO_THERE && manifest_id(f) >= from)
			f->todo = TODO_READ;
	}
}

/// Compares what the store has with what an earlier backup brought here. Changes nothing.
static enum ec plan(struct cx *cx, struct backup *b)
{
	struct manifest old = MANIFEST_NEW;
	enum ec e = manifest_read(cx, b->to.dir, &old);

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
	manifest_sort(&b->gone);
	read_namers(b);
	b->list.store = b->stock.store;
	buf_free(&old.files);
	return e;
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
	enum ec e = copy_folder(cx, dir, NULL, true, &b->to.dir);

	if (e == E_OK)
		e = owner_of(cx, b->to.dir, dir, &st);
	if (e)
		return e;
	b->to.uid = st.st_uid;
	b->to.gid = st.st_gid;
	b->to.give = geteuid() == 0 && st.st_uid != 0;
	e = copy_folder(cx, dir, "log", true, &b->to.log);
	if (e == E_OK)
		e = owner_of(cx, b->to.log, "log", &log);
	if (e == E_OK && log.st_uid != st.st_uid && log.st_uid != geteuid())
		e = fail(cx, E_DENIED, "log is another's than %s", dir);
	return e ? e : copy_give(cx, &b->to, b->to.log);
}

enum ec backup_begin(
	struct cx *cx, const char *data, const char *dir, uint32_t segment, bool verify, struct backup *out)
{
	struct backup b = {
		.from = -1,
		.to = COPY_TARGET_NEW,
		.list = MANIFEST_NEW,
		.gone = MANIFEST_NEW,
		.kept = MANIFEST_NAMES_NEW,
		.damaged = MANIFEST_NAMES_NEW,
		.file = COPY_NEW,
		.segment = segment,
		.verify = verify,
	};
	enum ec e = copy_folder(cx, data, "log", false, &b.from);
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

// ---- doing it

static enum ec begin_file(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	char name[COPY_NEW_NAME];

	copy_new_name(f->name, name);
	b->file = COPY_NEW;
	b->differs = false;
	enum ec e = copy_open(cx, b->from, f->name, &b->file.in);
	if (e && e != E_CORRUPT)
		return e;
	cx_forget(cx);
	if (f->todo != TODO_COMPARE)
		return copy_make(cx, &b->to, b->to.log, name, &b->file.out);
	return copy_open(cx, b->to.log, f->name, &b->file.out);
}

/// Where a pack is damaged in the store and the last backup has whole what it stands for: its copy leaves that alone.
/// out: *none — nothing is left of it.
static enum ec spare_pack(struct cx *cx, struct backup *b, const struct backup_file *f, bool *none)
{
	const struct seg_head *h = inventory_find(&b->stock, manifest_id(f));
	struct inventory there;
	struct vouched v = { .whole = true };
	size_t taken = 0, left = 1;

	*none = false;
	if (!h || h->kind != SEG_PACK || b->holes || manifest_count(&b->gone) == 0)
		return E_OK;
	enum ec e = inventory_vouch(cx, &b->stock, b->from, h->id, &v);
	if (e || v.whole)
		return e;
	e = inventory_read_listed(cx, b->to.log, &b->gone, &there);
	if (e)
		return e;
	e = standin_take(cx, &b->stock, &there, h->id, b->file.out, &taken, &left);
	inventory_free(&there);
	if (e == E_OK && taken)
		manifest_note(&b->kept, f->name);
	*none = e == E_OK && left == 0;
	return e == E_OK && taken && left ? copy_read_again(cx, &b->file) : e;
}

static enum ec end_copy(struct cx *cx, struct backup *b, struct backup_file *f)
{
	char name[COPY_NEW_NAME];
	struct vouched v = { .whole = true };
	bool none = false;
	enum ec e = spare_pack(cx, b, f, &none);

	copy_new_name(f->name, name);
	if (e == E_OK && none) {
		copy_close(&b->file);
		(void)unlinkat(b->to.log, name, 0);
		f->todo = TODO_LEAVE_OUT;
	}
	if (e || none)
		return e;
	if (fsync(b->file.out) || renameat(b->to.log, name, b->to.log, f->name))
		return disk_error(cx, -errno, f->name);
	copy_close(&b->file);
	b->count.files++;
	b->count.octets += f->octets;
	f->crc = b->file.crc;
	e = inventory_vouch(cx, &b->stock, b->to.log, manifest_id(f), &v);
	f->damaged = !v.whole;
	f->end = v.end;
	return e;
}

/// Both are read. Where the backup's is as it was, it stays unless the store's merely goes on behind it.
static enum ec end_compare(struct cx *cx, struct backup *b, struct backup_file *f)
{
	(void)cx;
	copy_close(&b->file);
	if (b->file.crc != f->old_crc || (!b->differs && f->octets != f->old_octets)) {
		f->todo = TODO_COPY;
		return E_OK;
	}
	f->todo = TODO_THERE;
	b->count.done += f->octets;
	if (!b->differs)
		return E_OK;
	f->todo = TODO_KEEP;
	f->octets = f->old_octets;
	f->changed_ns = f->old_changed_ns;
	manifest_note(&b->kept, f->name);
	return E_OK;
}

/// The next octets of both files. What of the store's cannot be read differs.
static enum ec compare_some(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	struct copy *c = &b->file;
	size_t n = f->old_octets - c->at < COPY_STEP_OCTETS ? (size_t)(f->old_octets - c->at) : COPY_STEP_OCTETS;
	size_t fixed = c->at >= f->fixed ? 0 : f->fixed - c->at < n ? (size_t)(f->fixed - c->at) : n;
	uint8_t *room = malloc(2 * (size_t)COPY_STEP_OCTETS);

	if (!room)
		return fail(cx, E_TEMP, "no memory to compare");
	struct iovec theirs = { room, n }, mine = { room + COPY_STEP_OCTETS, fixed };
	enum ec e = disk_read(cx, c->out, &theirs, 1, c->at);
	if (e == E_OK) {
		c->crc = crc32c(c->crc, (struct sl){ room, n });
		if (fixed &&
			(disk_read(cx, c->in, &mine, 1, c->at) || memcmp(room, room + COPY_STEP_OCTETS, fixed) != 0))
			b->differs = true;
		c->at += n;
	}
	free(room);
	if (e != E_RANGE && e != E_IO)
		return e;
	cx_forget(cx); // the backup's is not good any more
	c->crc = ~f->old_crc;
	c->at = f->old_octets;
	return E_OK;
}

/// A body that was given up is cut off; what the log names ends before it. What was copied of it does no harm.
static enum ec shorten(struct cx *cx, struct backup *b, struct backup_file *f)
{
	struct stat st;

	if (fstat(b->file.in, &st) < 0)
		return disk_error(cx, -errno, f->name);
	uint64_t size = (uint64_t)st.st_size, now = size > b->file.at ? size : b->file.at;
	if (now < f->octets && now < f->fixed)
		return fail(cx, E_CORRUPT, "%s has become shorter", f->name);
	if (now < f->octets) {
		b->count.total -= f->octets - now;
		f->octets = now;
	}
	return E_OK;
}

/// The next octets of the file under way.
static enum ec copy_more(struct cx *cx, struct backup *b, struct backup_file *f)
{
	enum ec e = f->bulk && b->file.in >= 0 ? shorten(cx, b, f) : E_OK;
	uint64_t at = b->file.at;

	if (e == E_OK && at < f->octets)
		e = copy_some(cx, &b->file, f->octets);
	b->count.done += b->file.at - at;
	if (e == E_RANGE && f->bulk)
		return E_OK; // cut off just now: the next step sees how far
	return e == E_RANGE ? fail(cx, E_CORRUPT, "%s has become shorter", f->name) : e;
}

/// Some of one file; *over once it is done with.
static enum ec one_step(struct cx *cx, struct backup *b, struct backup_file *f, bool *over)
{
	bool compare = f->todo == TODO_COMPARE;
	enum ec e = b->file.out < 0 ? begin_file(cx, b, f) : E_OK;

	if (e == E_OK)
		e = compare ? compare_some(cx, b, f) : copy_more(cx, b, f);
	if (e == E_OK && b->file.at >= (compare ? f->old_octets : f->octets))
		e = compare ? end_compare(cx, b, f) : end_copy(cx, b, f);
	*over = b->file.out < 0 && f->todo != TODO_COPY;
	*over |= b->file.out < 0 && !compare;
	return e;
}

/// A bulk segment goes where the only body in it was given up; a pack, where nothing of it is left.
static void leave_out(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	cx_forget(cx);
	b->count.total -= f->octets;
	manifest_leave_out(&b->list, b->next);
}

enum ec backup_step(struct cx *cx, struct backup *b, bool *more)
{
	bool over;

	while (b->next < manifest_count(&b->list) && (manifest_at(&b->list, b->next)->todo == TODO_THERE ||
							     manifest_at(&b->list, b->next)->todo == TODO_KEEP))
		b->count.done += manifest_at(&b->list, b->next++)->octets;
	*more = b->next < manifest_count(&b->list);
	if (!*more)
		return E_OK;
	struct backup_file *f = manifest_at(&b->list, b->next);
	if (f->todo == TODO_READ) {
		struct vouched v;
		f->todo = TODO_THERE;
		return inventory_vouch(cx, &b->stock, b->to.log, manifest_id(f), &v);
	}
	enum ec e = one_step(cx, b, f, &over);
	if (e == E_OK && f->todo == TODO_LEAVE_OUT) {
		b->count.done -= f->octets;
		leave_out(cx, b, f);
		return E_OK;
	}
	if (e == E_NOTFOUND && f->bulk && f->fixed <= SEG_DATA) {
		leave_out(cx, b, f);
		return E_OK;
	}
	b->next += e == E_OK && over;
	return e;
}

// ---- the end

/// B1: lists what no pack stands for after all.
static enum ec keep_spared(struct cx *cx, struct backup *b)
{
	size_t n = manifest_count(&b->gone);
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < n; i++) {
		struct backup_file *o = manifest_at(&b->gone, i);
		bool explained = manifest_find(&b->list, o->name) != NULL;
		if (!explained)
			e = is_explained(cx, b, manifest_id(o), false, &explained);
		o->todo = explained ? TODO_THERE : TODO_KEEP;
	}
	for (size_t i = 0; e == E_OK && i < n; i++)
		if (manifest_at(&b->gone, i)->todo == TODO_KEEP)
			e = keep(cx, b, manifest_at(&b->gone, i));
	manifest_sort(&b->list);
	return e;
}

/// B2: a file that the backup does not list.
static enum ec remove_unlisted(struct cx *cx, void *arg, const char *name)
{
	struct backup *b = arg;
	bool needless = false;
	uint32_t id;

	if (!seg_name_parse(name, &id) || manifest_find(&b->list, name))
		return E_OK;
	enum ec e = is_explained(cx, b, id, true, &needless);
	if (e == E_OK && (needless || is_empty_bulk(cx, b, id)))
		(void)unlinkat(b->to.log, name, 0); // a restore goes by the manifest
	return e;
}

enum ec backup_finish(struct cx *cx, struct backup *b)
{
	struct buf text = BUF(MANIFEST_OCTETS_MAX);
	enum ec e = keep_spared(cx, b);

	if (e)
		return e;
	for (size_t i = 0; i < manifest_count(&b->list); i++) {
		struct backup_file *f = manifest_at(&b->list, i);
		if (f->bulk && f->todo == TODO_COPY) // the log names what the copy does not have
			f->damaged |= inventory_names_more(&b->stock, manifest_id(f), f->end);
		if (f->damaged)
			manifest_note(&b->damaged, f->name);
	}
	manifest_print(&b->list, &text);
	e = text.err ? fail(cx, E_TEMP, "no memory for the manifest") : E_OK;
	if (e == E_OK && fsync(b->to.log))
		e = disk_error(cx, -errno, "flush of the backup's folder");
	if (e == E_OK)
		e = copy_put(cx, &b->to, "manifest", buf_sl(&text));
	buf_free(&text);
	return e ? e : disk_each_name(cx, b->to.log, remove_unlisted, b);
}

void backup_end(struct backup *b)
{
	copy_close(&b->file);
	copy_target_end(&b->to);
	if (b->from >= 0)
		close(b->from);
	buf_free(&b->list.files);
	buf_free(&b->gone.files);
	buf_free(&b->kept.text);
	buf_free(&b->damaged.text);
	inventory_free(&b->stock);
}
