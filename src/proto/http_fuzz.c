/// Fuzzes request lines and fields: what is taken lies within the line, and a method, a path and a name hold nothing
/// that could be put into an answer and mean something else there.
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct sl part, struct sl whole)
{
	if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
		abort();
}

static void check_visible(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl rest = { data, size };

	for (bool first = true; rest.n; first = false) {
		struct sl line = sl_trim(sl_cut(&rest, '\n')), name, value;
		struct http_request_line r;
		if (first && http_parse_request_line(line, &r) == E_OK) {
			check_within(r.method, line);
			check_within(r.path, line);
			check_visible(r.method);
			check_visible(r.path);
			if (r.method.n == 0 || r.minor > 9 || (r.path.n && r.path.p[0] != '/') ||
				sl_find(r.path, '?') < r.path.n)
				abort();
		} else if (!first && http_parse_field(line, &name, &value) == E_OK) {
			check_within(name, line);
			check_within(value, line);
			check_visible(name);
			if (name.n == 0 || sl_find(value, 0) < value.n || sl_find(value, '\r') < value.n)
				abort();
		}
	}
	return 0;
}
