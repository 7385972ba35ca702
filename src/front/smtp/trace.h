#pragma once
/// trace — the lines that a receiving server puts in front of a message. Pure.
///
/// source: RFC 5321 §4.4 (Return-Path, Received), RFC 3848 and RFC 2033 (protocol names).
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sl.h"
#include "mail/date.h"
#include "net/addr.h"

struct trace {
	struct sl from; // reverse-path without brackets; empty for <>
	struct sl helo; // as the client said it; whatever does not belong into a domain or literal is replaced
	const struct addr *peer;
	struct sl hostname;
	bool lmtp, esmtp, tls, authed;
	struct sl tls_version, tls_cipher;
	struct sl id;
	struct sl for_whom; // empty: not one recipient
	struct date date;
};

/// "ESMTPSA", "LMTP" …
struct sl trace_protocol(const struct trace *t);
/// Appends Return-Path and Received.
void trace_print(struct buf *b, const struct trace *t);
