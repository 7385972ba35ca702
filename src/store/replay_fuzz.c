/// replay_fuzz — start over a log that was damaged by instructions: each 4 octets of input set (offset, what, value) in
/// a good segment; with `what` odd the check of the record header around that place is made right again.
///
/// Whatever happens, start must come to an end without a fault, and a store that opens must go on.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "store/engine.h"
#include "store/unflushed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG_OCTETS = 12288, HEADS_MAX = 64 };

struct filling {
	uint64_t n;
	struct blob *blob;
};

static enum ec fill(struct cx *cx, struct txn *t, struct job *job)
{
	const struct filling *f = job->arg;
	uint64_t version;
	struct body_ref ref = { 0 };
	enum ec e = blob_put(cx, t, f->blob, &ref);
	struct change *c = change_begin(t, (struct cell_id){ 1, f->n % 2 }, f->n / 2);
	change_put(c, SL("key"), SL("value"));
	change_patch(c, SL("key"), 3, SL("patch"));
	change_head(c, SL("head"));
	if (e == E_OK)
		e = change_commit(cx, c, &(struct op_id){ "operation" }, SL("outcome"), &version);
	return e;
}

/// One commit with a body; number n / 2 of cell n % 2.
static void fill_one(struct store *s, uint64_t n)
{
	struct filling f = { .n = n };

	if (blob_new(NULL, s, &f.blob) || blob_add(NULL, f.blob, SL("From: a\r\n\r\nbody\r\n")) ||
		store_do(NULL, s, true, fill, &f))
		abort();
	blob_free(f.blob);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

struct sample {
	uint8_t log[LOG_OCTETS];
	struct hash_key nonce;
	uint32_t heads[HEADS_MAX]; // where record headers stand
	size_t n;
};

static struct store_conf conf_in(const char *dir)
{
	return (struct store_conf){
		.dir = sl_cstr(dir), .segment_octets = 16 << 10, .map_octets = 16 << 20, .free_min_octets = 1
	};
}

/// A good segment of four batches, made once.
static const struct sample *sample_get(void)
{
	static struct sample s;
	char dir[] = "/tmp/hongyan-fuzz-XXXXXX", path[64];
	struct store *st = NULL;
	struct disk disk = disk_unflushed();
	struct store_conf conf;

	if (s.n)
		return &s;
	if (!mkdtemp(dir))
		abort();
	conf = conf_in(dir);
	if (store_open_on(NULL, &conf, &disk, &st))
		abort();
	for (uint64_t i = 0; i < 4; i++)
		fill_one(st, i);
	store_close(st);
	snprintf(path, sizeof path, "%s/log/00000001.seg", dir);
	FILE *f = fopen(path, "rb");
	if (!f || fread(s.log, 1, sizeof s.log, f) < SEG_DATA)
		abort();
	fclose(f);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	struct seg_head h;
	struct rec r;
	if (seg_decode(NULL, (struct sl){ s.log, SEG_HEAD }, &h))
		abort();
	s.nonce = h.nonce;
	for (uint32_t at = SEG_DATA; s.n < HEADS_MAX && at + REC_HEAD < LOG_OCTETS; at += REC_HEAD + r.octets) {
		if (rec_decode(&s.nonce, (struct sl){ s.log + at, REC_HEAD }, at, &r))
			break;
		s.heads[s.n++] = at;
	}
	return &s;
}

static void damage(const struct sample *s, uint8_t *log, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 4 <= size && i < 64; i += 4) {
		uint32_t at = SEG_DATA + get_le16(data + i) % (LOG_OCTETS - SEG_DATA);
		log[at] = data[i + 3];
		for (size_t k = s->n; (data[i + 2] & 1) && k-- > 0;)
			if (s->heads[k] <= at) {
				uint8_t *head = log + s->heads[k];
				put_le64(head, hash_keyed(&s->nonce, (struct sl){ head + 8, REC_HEAD - 8 }));
				break;
			}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sample *s = sample_get();
	char dir[] = "/tmp/hongyan-fuzz-XXXXXX", path[64];
	uint8_t log[LOG_OCTETS];
	struct store *st = NULL;
	struct disk disk = disk_unflushed();
	struct store_conf conf;

	memcpy(log, s->log, sizeof log);
	damage(s, log, data, size);
	if (!mkdtemp(dir))
		abort();
	conf = conf_in(dir);
	snprintf(path, sizeof path, "%s/log", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/log/00000001.seg", dir);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(log, 1, sizeof log, f) != sizeof log)
		abort();
	fclose(f);
	if (store_open_on(NULL, &conf, &disk, &st) == E_OK) {
		struct view *v;
		uint64_t version = 0;
		struct sl head;
		if (view_open(NULL, st, &v))
			abort();
		(void)!cell_head(NULL, v, (struct cell_id){ 1, 0 }, &version, &head);
		view_close(v);
		fill_one(st, version * 2);
		store_close(st);
	}
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
