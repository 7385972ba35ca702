/// message_id — see the header.
#include "base/hash.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/message_id.h"

struct message_has message_id_check(struct sl message)
{
	struct header_iter it = header_over(message);
	struct header_field f;
	struct message_has has = { 0 };

	while (header_next(&it, &f)) {
		bool empty = sl_trim(f.value).n == 0; // a field without a value is as good as none
		has.date |= !empty && sl_eq_ci(f.name, SL("Date"));
		has.from |= !empty && sl_eq_ci(f.name, SL("From"));
		has.message_id |= !empty && sl_eq_ci(f.name, SL("Message-ID"));
	}
	return has;
}

/// True where `domain` may stand behind the @ of an SMTP address.
static bool is_domain(struct sl domain)
{
	uint8_t spec[ADDRESS_DOMAIN_MAX + 2] = "x@";

	if (domain.n == 0 || domain.n > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < domain.n; i++)
		spec[i + 2] = domain.p[i];
	return address_check_addr_spec((struct sl){ spec, domain.n + 2 }, true) == ADDRESS_SMTP;
}

/// msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]
enum ec message_id_make(struct sl domain, struct buf *out)
{
	uint64_t high, low;

	if (!is_domain(domain))
		return E_SYNTAX;
	high = random_u64();
	low = random_u64();
	buf_printf(out, "Message-ID: <%016llx%016llx@%.*s>\r\n", (unsigned long long)high, (unsigned long long)low,
		SLF(domain));
	return out->err;
}

void message_id_date_line(const struct date *now, struct buf *out)
{
	buf_puts(out, "Date: ");
	date_print_mail(now, out);
	buf_add(out, SL("\r\n"));
}
