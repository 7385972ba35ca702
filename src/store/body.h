#pragma once
/// body — reading one body where it stands; blob_get (cell.h) finds the place first.
#include <sys/uio.h>

#include "store/cell.h"
#include "store/segfile.h"

struct body_place {
	struct segfile *f;
	uint64_t at; // of its record
};

/// Reads octets [off, off + sum of iov lengths) of a body, with the checks of blob_get.
/// errors: E_NOTFOUND (the file ends before), E_CORRUPT, E_RANGE, E_TEMP, E_IO.
[[nodiscard]] enum ec body_read(struct cx *cx, const struct body_place *place, struct body_ref ref, uint64_t off,
	const struct iovec *iov, int n);
/// Reads all of a body and keeps nothing. errors: as body_read.
[[nodiscard]] enum ec body_check(struct cx *cx, const struct body_place *place, struct body_ref ref);
