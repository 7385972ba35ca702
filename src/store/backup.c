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
#include "store/segfile.h"

enum {
	STEP_OCTETS = 1 << 20,
	MANIFEST_MAX = 64 << 20,
	FILES_MAX = 1 << 20,
	NEW_NAME = SEG_NAME + 8,
};
static const char first_line[] = "hongyan-backup 1";

struct backup_file {
	char name[SEG_NAME];
	uint64_t octets, changed_ns;
	uint32_t crc;
	bool there; // in the backup already
	bool bulk;  // may be cut off, or go, behind the bodies that are finished in it
};

static struct backup_file *file_at(const struct backup *b, size_t i)
{
	return (struct backup_file *)(void *)(b->files.p + i * sizeof(struct backup_file));
}

static size_t file_count(const struct backup *b)
{
	return b->files.n / sizeof(struct backup_file);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct backup_file *)x)->name, ((const struct backup_file *)y)->name);
}

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
	int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return disk_error(cx, -errno, whole);
	enum ec e = made ? flush_parent(cx, fd) : E_OK;
	if (e == E_OK)
		*out = fd;
	else
		close(fd);
	return e;
}

/// Only what is really called like a segment: a manifest may come from anywhere.
static bool is_segment(const char *name)
{
	uint32_t id;

	return seg_name_parse(name, &id);
}

// ---- manifest

static enum ec add_file(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	buf_add(&b->files, (struct sl){ (const uint8_t *)f, sizeof *f });
	return b->files.err ? fail(cx, E_TEMP, "no memory for the list of segments") : E_OK;
}

/// "00000001.seg 4096 1700000000000000000 0a1b2c3d"
static bool line_parse(struct sl line, struct backup_file *f)
{
	struct sl name = sl_cut(&line, ' '), octets = sl_cut(&line, ' '), changed = sl_cut(&line, ' ');
	uint64_t crc;

	*f = (struct backup_file){ 0 };
	if (name.n != SEG_NAME - 4 || line.n != 8 || !num_parse(octets, INT64_MAX, &f->octets) ||
		!num_parse(changed, UINT64_MAX, &f->changed_ns) || !num_parse_hex(line, &crc))
		return false;
	memcpy(f->name, name.p, name.n);
	f->crc = (uint32_t)crc;
	return is_segment(f->name);
}

/// Reads what a folder's manifest says. errors: E_NOTFOUND, E_CORRUPT, E_IO, E_TEMP.
static enum ec manifest_read(struct cx *cx, int dir, struct buf *text)
{
	struct stat st;
	int fd = openat(dir, "manifest", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return disk_error(cx, -errno, "manifest");
	enum ec e = fstat(fd, &st) < 0 ? disk_error(cx, -errno, "manifest") : E_OK;
	uint8_t *room = e ? NULL : buf_room(text, (size_t)st.st_size);
	struct iovec iov = { room, e ? 0 : (size_t)st.st_size };
	if (e == E_OK && !room)
		e = fail(cx, E_TEMP, "no memory for a manifest");
	if (e == E_OK)
		e = disk_read(cx, fd, &iov, 1, 0);
	close(fd);
	if (e == E_OK)
		buf_took(text, (size_t)st.st_size);
	return e == E_RANGE ? E_CORRUPT : e;
}

/// Calls `each` for every line; the first and the last must be as they were written.
static enum ec manifest_files(struct cx *cx, struct sl text, struct backup *b)
{
	struct backup_file f;
	uint64_t count = 0, told = 0;
	bool ended = false;

	if (!sl_eq(sl_cut(&text, '\n'), sl_cstr(first_line)))
		return fail(cx, E_CORRUPT, "the manifest is none of ours");
	while (text.n && !ended) {
		struct sl line = sl_cut(&text, '\n');
		ended = sl_starts(line, SL("end "));
		if (ended && (!num_parse(sl_from(line, 4), UINT64_MAX, &told) || told != count))
			return fail(cx, E_CORRUPT, "the manifest is damaged");
		if (ended)
			break;
		if (!line_parse(line, &f))
			return fail(cx, E_CORRUPT, "the manifest is damaged");
		count++;
		enum ec e = add_file(cx, b, &f);
		if (e)
			return e;
	}
	return ended ? E_OK : fail(cx, E_CORRUPT, "the manifest is not complete");
}

static enum ec write_whole(struct cx *cx, int dir, const char *name, struct sl text)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { .from = text.p };
	struct iovec iov = { p.to, text.n };
	char fresh[64];

	snprintf(fresh, sizeof fresh, "%s.new", name);
	int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_error(cx, -errno, name);
	enum ec e = disk_write(cx, &disk_real, fd, &iov, 1, 0);
	if (e == E_OK && fsync(fd))
		e = disk_error(cx, -errno, name);
	close(fd);
	if (e == E_OK && (renameat(dir, fresh, dir, name) || fsync(dir)))
		e = disk_error(cx, -errno, name);
	return e;
}

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
	f.bulk = e == E_OK && head.kind == SEG_BULK;
	if (e == E_CORRUPT) // its second copy may be good: restore and start will see
		e = E_OK;
	if (e || (head.kind == SEG_LOG && head.id >= b->segment))
		return e;
	f.octets = (uint64_t)st.st_size;
	f.changed_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	b->total += f.octets;
	return add_file(cx, b, &f);
}

/// Marks what an earlier backup brought here already.
static enum ec mark_there(struct cx *cx, struct backup *b)
{
	struct backup old = { .files = BUF((size_t)FILES_MAX * sizeof(struct backup_file)) };
	struct buf text = BUF(MANIFEST_MAX);
	struct stat st;
	enum ec e = manifest_read(cx, b->dir, &text);

	if (e == E_OK)
		e = manifest_files(cx, buf_sl(&text), &old);
	if (e == E_NOTFOUND || e == E_CORRUPT) // then everything is copied
		e = E_OK;
	if (old.files.n)
		qsort(old.files.p, file_count(&old), sizeof(struct backup_file), by_name);
	for (size_t i = 0; e == E_OK && old.files.n && i < file_count(b); i++) {
		struct backup_file *f = file_at(b, i);
		const struct backup_file *o =
			bsearch(f, old.files.p, file_count(&old), sizeof(struct backup_file), by_name);
		if (!o || o->octets != f->octets || o->changed_ns != f->changed_ns)
			continue;
		f->crc = o->crc;
		f->there = fstatat(b->to, f->name, &st, 0) == 0 && (uint64_t)st.st_size == f->octets;
	}
	buf_free(&text);
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
		.files = BUF((size_t)FILES_MAX * sizeof(struct backup_file)),
	};
}

enum ec backup_begin(struct cx *cx, const char *data, const char *dir, uint32_t segment, struct backup *out)
{
	struct backup b = fresh();

	b.segment = segment;
	enum ec e = open_folder(cx, data, "log", false, &b.from);
	if (e == E_OK)
		e = open_folder(cx, dir, NULL, true, &b.dir);
	if (e == E_OK)
		e = open_folder(cx, dir, "log", true, &b.to);
	if (e == E_OK)
		e = disk_each_name(cx, b.from, take_segment, &b);
	if (e == E_OK)
		e = mark_there(cx, &b);
	if (e)
		backup_end(&b);
	else
		*out = b;
	return e;
}

static enum ec refuse_segment(struct cx *cx, void *arg, const char *name)
{
	(void)arg;
	return !is_segment(name) ? E_OK : fail(cx, E_EXISTS, "there is %s", name);
}

enum ec restore_begin(struct cx *cx, const char *dir, const char *data, struct backup *out)
{
	struct backup b = fresh();
	struct buf text = BUF(MANIFEST_MAX);
	enum ec e = open_folder(cx, dir, "log", false, &b.from);

	b.restoring = true;
	if (e == E_OK)
		e = open_folder(cx, dir, NULL, false, &b.dir);
	if (e == E_OK)
		e = manifest_read(cx, b.dir, &text);
	if (e == E_OK)
		e = manifest_files(cx, buf_sl(&text), &b);
	buf_free(&text);
	if (b.dir >= 0)
		close(b.dir);
	b.dir = -1;
	if (e == E_OK)
		e = open_folder(cx, data, NULL, true, &b.dir);
	if (e == E_OK)
		e = open_folder(cx, data, "log", true, &b.to);
	if (e == E_OK)
		e = disk_each_name(cx, b.to, refuse_segment, NULL);
	for (size_t i = 0; e == E_OK && i < file_count(&b); i++)
		b.total += file_at(&b, i)->octets;
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

static enum ec begin_file(struct cx *cx, struct backup *b, const struct backup_file *f)
{
	char name[NEW_NAME];

	new_name(f, name);
	b->at = 0;
	b->crc = 0;
	b->in = openat(b->from, f->name, O_RDONLY | O_CLOEXEC);
	if (b->in < 0)
		return disk_error(cx, -errno, f->name);
	b->out = openat(b->to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return b->out < 0 ? disk_error(cx, -errno, name) : E_OK;
}

static enum ec end_file(struct cx *cx, struct backup *b, struct backup_file *f)
{
	char name[NEW_NAME];

	new_name(f, name);
	if (b->restoring && b->crc != f->crc)
		return fail(cx, E_CORRUPT, "%s is not what was backed up: its checksum differs", f->name);
	int rc = fsync(b->out);
	close(b->in);
	close(b->out);
	b->in = b->out = -1;
	if (rc || renameat(b->to, name, b->to, f->name))
		return disk_error(cx, -errno, f->name);
	f->crc = b->crc;
	b->copied++;
	b->copied_octets += f->octets;
	return E_OK;
}

/// A body that was given up is cut off; what the log names ends before it. What was copied of it does no harm.
static enum ec shorten(struct cx *cx, struct backup *b, struct backup_file *f)
{
	struct stat st;

	if (fstat(b->in, &st) < 0)
		return disk_error(cx, -errno, f->name);
	uint64_t size = (uint64_t)st.st_size, now = size > b->at ? size : b->at;
	if (now < f->octets) {
		b->total -= f->octets - now;
		f->octets = now;
	}
	return E_OK;
}

/// The next octets of the file under way.
static enum ec copy_some(struct cx *cx, struct backup *b, struct backup_file *f)
{
	if (f->bulk) {
		enum ec e = shorten(cx, b, f);
		if (e)
			return e;
	}
	size_t n = f->octets - b->at < STEP_OCTETS ? (size_t)(f->octets - b->at) : STEP_OCTETS;
	uint8_t *room = malloc(n ? n : 1);
	struct iovec in = { room, n }, out = { room, n };

	if (!room)
		return fail(cx, E_TEMP, "no memory to copy");
	enum ec e = disk_read(cx, b->in, &in, 1, b->at);
	if (e == E_RANGE && f->bulk) {
		free(room);
		return E_OK; // cut off just now: the next step sees how far
	}
	if (e == E_RANGE)
		e = fail(cx, E_CORRUPT, "%s has become shorter", f->name);
	if (e == E_OK)
		e = disk_write(cx, &disk_real, b->out, &out, 1, b->at);
	if (e == E_OK)
		b->crc = crc32c(b->crc, (struct sl){ room, n });
	free(room);
	b->at += n;
	b->done += n;
	return e;
}

/// A bulk segment goes where the only body in it was given up.
static void leave_out(struct backup *b)
{
	struct backup_file *f = file_at(b, b->next);
	size_t behind = file_count(b) - b->next - 1;

	b->total -= f->octets;
	memmove(f, f + 1, behind * sizeof *f);
	buf_cut(&b->files, b->files.n - sizeof *f);
}

enum ec backup_step(struct cx *cx, struct backup *b, bool *more)
{
	while (b->next < file_count(b) && file_at(b, b->next)->there)
		b->done += file_at(b, b->next++)->octets;
	*more = b->next < file_count(b);
	if (!*more)
		return E_OK;
	struct backup_file *f = file_at(b, b->next);
	enum ec e = b->in < 0 ? begin_file(cx, b, f) : E_OK;
	if (e == E_NOTFOUND && f->bulk) {
		leave_out(b);
		return E_OK;
	}
	if (e == E_OK)
		e = copy_some(cx, b, f);
	if (e == E_OK && b->at == f->octets) {
		e = end_file(cx, b, f);
		b->next++;
	}
	return e;
}

/// A file of an earlier backup whose segment is no more.
static enum ec remove_unlisted(struct cx *cx, void *arg, const char *name)
{
	struct backup *b = arg;
	struct backup_file key = { 0 };

	(void)cx;
	if (!is_segment(name))
		return E_OK;
	memcpy(key.name, name, SEG_NAME - 4);
	if (!b->files.n || !bsearch(&key, b->files.p, file_count(b), sizeof key, by_name))
		(void)unlinkat(b->to, name, 0); // a restore goes by the manifest
	return E_OK;
}

enum ec backup_finish(struct cx *cx, struct backup *b)
{
	struct buf text = BUF(MANIFEST_MAX);

	buf_printf(&text, "%s\n", first_line);
	if (b->files.n)
		qsort(b->files.p, file_count(b), sizeof(struct backup_file), by_name);
	for (size_t i = 0; i < file_count(b); i++) {
		const struct backup_file *f = file_at(b, i);
		buf_printf(&text, "%s %" PRIu64 " %" PRIu64 " %08x\n", f->name, f->octets, f->changed_ns, f->crc);
	}
	buf_printf(&text, "end %zu\n", file_count(b));
	enum ec e = text.err ? fail(cx, E_TEMP, "no memory for the manifest") : E_OK;
	if (e == E_OK && fsync(b->to))
		e = disk_error(cx, -errno, "flush of the backup's folder");
	if (e == E_OK)
		e = write_whole(cx, b->dir, "manifest", buf_sl(&text));
	buf_free(&text);
	return e ? e : disk_each_name(cx, b->to, remove_unlisted, b);
}

enum ec restore_finish(struct cx *cx, struct backup *b)
{
	enum ec e = fsync(b->to) ? disk_error(cx, -errno, "flush of the log's folder") : E_OK;

	return e ? e : write_whole(cx, b->dir, "restored", SL(""));
}

void backup_end(struct backup *b)
{
	int fds[] = { b->in, b->out, b->from, b->to, b->dir };

	for (size_t i = 0; i < ARRAY_N(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_free(&b->files);
}
