/// metrics — one HTTP request, answered with the figures of all roles in Prometheus's text format; then the end.
///
/// What is read is bounded in lines, octets and time; a body is not read at all. The page is the same for everybody, so
/// there is nothing to log in to: who may connect is decided by the address it listens on.
#include <string.h>

#include "base/board.h"
#include "base/clock.h"
#include "front/front.h"
#include "proto/http.h"

enum { REQUEST_MS = 10000, ANSWER_MS = 30000, PAGE_MAX = 64 << 20, HEAD_MAX = 4096 };

struct status {
	unsigned code;
	const char *words, *fields;
};
static const struct status ok = { 200, "OK", "" }, bad = { 400, "Bad Request", "" },
			   not_found = { 404, "Not Found", "" },
			   not_allowed = { 405, "Method Not Allowed", "Allow: GET, HEAD\r\n" },
			   too_long = { 431, "Request Header Fields Too Large", "" },
			   unavailable = { 503, "Service Unavailable", "" },
			   version = { 505, "HTTP Version Not Supported", "" };

struct asked {
	const struct status *status;
	bool head;
	bool needs_host; // HTTP/1.1
};

/// source: RFC 9110 §9.1 (methods), RFC 9112 §3.
static struct asked ask_of(struct sl line)
{
	struct http_request_line r;
	enum ec e = http_parse_request_line(line, &r);

	if (e != E_OK)
		return (struct asked){ e == E_UNSUPPORTED ? &version : &bad, false, false };
	struct asked a = { &ok, sl_eq(r.method, SL("HEAD")), r.minor > 0 };
	if (!sl_eq(r.path, SL("/metrics")))
		a.status = &not_found;
	else if (!a.head && !sl_eq(r.method, SL("GET")))
		a.status = &not_allowed;
	return a;
}

/// Reads the fields. A request of HTTP/1.1 has one Host (RFC 9112 §3.2).
FIB static enum ec read_fields(struct cx *cx, struct io *io, struct asked *a)
{
	unsigned hosts = 0;
	struct sl line, name, value;

	for (unsigned i = 0; i <= HTTP_FIELDS_MAX; i++) {
		enum ec e = io_line(cx, io, HTTP_LINE_MAX, &line);
		if (e == E_TOOBIG)
			break;
		if (e != E_OK)
			return e;
		if (line.n == 0) {
			if (hosts != 1 && (a->needs_host || hosts))
				a->status = &bad;
			return E_OK;
		}
		if (http_parse_field(line, &name, &value) != E_OK) {
			a->status = &bad;
			return E_OK;
		}
		hosts += sl_eq_ci(name, SL("Host"));
	}
	a->status = &too_long;
	return E_OK;
}

/// IMF-fixdate = day-name "," SP date1 SP time-of-day SP GMT
/// source: RFC 9110 §5.6.7, §6.6.1 (a server with a clock says the date).
static void print_date(struct buf *b, int64_t now_s)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = clock_civil(now_s);

	buf_printf(b, "Date: %.3s, %02d %.3s %04lld %02d:%02d:%02d GMT\r\n", days + 3 * c.weekday, c.day,
		months + 3 * (c.month - 1), (long long)c.year, c.hour, c.minute, c.second);
}

static void print_head(struct buf *b, const struct status *s, size_t octets)
{
	buf_printf(b, "HTTP/1.1 %u %s\r\n", s->code, s->words);
	print_date(b, clock_now_s());
	buf_printf(b,
		"%sContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
		s->fields, octets);
}

FIB static enum ec answer(struct cx *cx, struct session *s, const struct asked *a)
{
	const struct status *status = a->status == &ok && !s->front->board ? &unavailable : a->status;
	struct buf head = BUF(HEAD_MAX), page = BUF(PAGE_MAX);

	if (status == &ok)
		board_print(&page, s->front->board);
	else
		buf_printf(&page, "%u %s\r\n", status->code, status->words);
	if (page.err) {
		buf_clear(&page);
		status = &unavailable;
	}
	print_head(&head, status, page.n);
	cx_deadline_in(cx, ANSWER_MS);
	enum ec e = io_put(cx, s->io, buf_sl(&head));
	if (e == E_OK && !a->head)
		e = io_put(cx, s->io, buf_sl(&page));
	if (e == E_OK)
		e = io_flush(cx, s->io);
	buf_free(&head);
	buf_free(&page);
	return e;
}

FIB enum ec metrics_session(struct cx *cx, struct session *s)
{
	struct asked a = { .status = &too_long };
	struct sl line;
	enum ec e = session_rest(s);

	cx_deadline_in(cx, REQUEST_MS);
	if (e == E_OK)
		e = io_line(cx, s->io, HTTP_LINE_MAX, &line);
	session_busy(s);
	if (e == E_OK)
		a = ask_of(line);
	if (e == E_OK && a.status != &bad && a.status != &version)
		e = read_fields(cx, s->io, &a);
	if (e == E_OK || e == E_TOOBIG)
		e = answer(cx, s, &a);
	return e;
}
