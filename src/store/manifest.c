/// manifest — see the header. A manifest may come from anywhere: its names are segments' or it is refused.
#include "store/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

size_t manifest_count(const struct manifest *m)
{
	return m->files.n / sizeof(struct backup_file);
}

struct backup_file *manifest_at(const struct manifest *m, size_t i)
{
	return (struct backup_file *)(void *)(m->files.p + i * sizeof(struct backup_file));
}

enum ec manifest_add(struct cx *cx, struct manifest *m, const struct backup_file *f)
{
	buf_add(&m->files, (struct sl){ (const uint8_t *)f, sizeof *f });
	return m->files.err ? fail(cx, E_TEMP, "no memory for the list of segments") : E_OK;
}

void manifest_leave_out(struct manifest *m, size_t i)
{
	struct backup_file *f = manifest_at(m, i);

	memmove(f, f + 1, (manifest_count(m) - i - 1) * sizeof *f);
	buf_cut(&m->files, m->files.n - sizeof *f);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct backup_file *)x)->name, ((const struct backup_file *)y)->name);
}

void manifest_sort(struct manifest *m)
{
	if (m->files.n)
		qsort(m->files.p, manifest_count(m), sizeof(struct backup_file), by_name);
}

struct backup_file *manifest_find(const struct manifest *m, const char *name)
{
	struct backup_file key = { 0 };

	memcpy(key.name, name, SEG_NAME - 4);
	return m->files.n ? bsearch(&key, m->files.p, manifest_count(m), sizeof key, by_name) : NULL;
}

uint32_t manifest_id(const struct backup_file *f)
{
	uint32_t id = 0;

	(void)seg_name_parse(f->name, &id);
	return id;
}

/// "00000001.seg 4096 1700000000000000000 0a1b2c3d", perhaps with " damaged"
static bool line_parse(struct sl line, struct backup_file *f)
{
	struct sl name = sl_cut(&line, ' '), octets = sl_cut(&line, ' '), changed = sl_cut(&line, ' ');
	struct sl crc = sl_cut(&line, ' ');
	uint64_t v;
	uint32_t id;

	*f = (struct backup_file){ .damaged = line.n != 0 };
	if (name.n != SEG_NAME - 4 || crc.n != 8 || !num_parse(octets, INT64_MAX, &f->octets) ||
		!num_parse(changed, UINT64_MAX, &f->changed_ns) || !num_parse_hex(crc, &v) ||
		(line.n && !sl_eq(line, SL("damaged"))))
		return false;
	memcpy(f->name, name.p, name.n);
	f->crc = (uint32_t)v;
	return seg_name_parse(f->name, &id);
}

/// The first line, and what version 2 says behind it.
static bool take_beginning(struct sl *text, struct manifest *m)
{
	struct sl line = sl_cut(text, '\n');

	if (sl_eq(line, SL("hongyan-backup 1")))
		return true;
	if (!sl_eq(line, SL("hongyan-backup 2")))
		return false;
	line = sl_cut(text, '\n');
	return sl_starts(line, SL("store ")) && num_parse_hex(sl_from(line, 6), &m->store);
}

static enum ec parse(struct cx *cx, struct sl text, struct manifest *m)
{
	struct backup_file f;
	uint64_t told = 0;

	if (!take_beginning(&text, m))
		return fail(cx, E_CORRUPT, "the manifest is none of ours");
	while (text.n) {
		struct sl line = sl_cut(&text, '\n');
		if (sl_starts(line, SL("end ")))
			return num_parse(sl_from(line, 4), UINT64_MAX, &told) && told == manifest_count(m)
			               ? E_OK
			               : fail(cx, E_CORRUPT, "the manifest is damaged");
		if (!line_parse(line, &f))
			return fail(cx, E_CORRUPT, "the manifest is damaged");
		enum ec e = manifest_add(cx, m, &f);
		if (e)
			return e;
	}
	return fail(cx, E_CORRUPT, "the manifest is not complete");
}

static enum ec read_text(struct cx *cx, int fd, struct buf *text)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return disk_error(cx, -errno, "manifest");
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return fail(cx, E_CORRUPT, "the manifest is empty");
	struct iovec iov = { buf_room(text, (size_t)st.st_size), (size_t)st.st_size };
	if (!iov.iov_base)
		return fail(cx, E_TEMP, "no memory for a manifest");
	enum ec e = disk_read(cx, fd, &iov, 1, 0);
	if (e == E_OK)
		buf_took(text, (size_t)st.st_size);
	return e == E_RANGE ? E_CORRUPT : e;
}

enum ec manifest_read(struct cx *cx, int dir, struct manifest *out)
{
	struct buf text = BUF(MANIFEST_OCTETS_MAX);
	int fd = openat(dir, "manifest", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return disk_error(cx, -errno, "manifest");
	enum ec e = read_text(cx, fd, &text);
	close(fd);
	if (e == E_OK)
		e = parse(cx, buf_sl(&text), out);
	buf_free(&text);
	if (e == E_OK)
		manifest_sort(out);
	return e;
}

void manifest_print(const struct manifest *m, struct buf *b)
{
	buf_printf(b, "hongyan-backup 2\nstore %016" PRIx64 "\n", m->store);
	for (size_t i = 0; i < manifest_count(m); i++) {
		const struct backup_file *f = manifest_at(m, i);
		buf_printf(b, "%s %" PRIu64 " %" PRIu64 " %08x%s\n", f->name, f->octets, f->changed_ns, f->crc,
			f->damaged ? " damaged" : "");
	}
	buf_printf(b, "end %zu\n", manifest_count(m));
}

void manifest_note(struct manifest_names *names, const char *name)
{
	names->n++;
	buf_printf(&names->text, " %s", name);
}
