/// reply — three tables, each a switch over every code, so that a new code needs an answer here.
#include "front/smtp/reply.h"

struct smtp_words smtp_words(enum ec e, bool quota_defer)
{
	static const struct smtp_words busy = { 451, "4.3.0", "The mail store is busy, try again later" };

	switch (e) {
	case E_OK: return (struct smtp_words){ 250, "2.0.0", "OK" };
	case E_NOTFOUND: return (struct smtp_words){ 550, "5.1.1", "No such user here, check the address" };
	case E_SYNTAX: return (struct smtp_words){ 554, "5.6.0", "The message is not well formed" };
	case E_TOOBIG: return (struct smtp_words){ 552, "5.3.4", "The message is too large" };
	case E_LIMIT:
		return (struct smtp_words){ 452, "4.3.1", "Too much at once for this server now, try again later" };
	case E_QUOTA:
		if (quota_defer)
			return (struct smtp_words){ 452, "4.2.2", "The mailbox is full, try again later" };
		return (struct smtp_words){ 552, "5.2.2", "The mailbox is full, its owner must make room first" };
	case E_DENIED: return (struct smtp_words){ 550, "5.7.1", "Not allowed" };
	case E_AUTH: return (struct smtp_words){ 530, "5.7.0", "Log in first" };
	case E_STATE: return (struct smtp_words){ 503, "5.5.1", "Not now" };
	case E_RANGE: return (struct smtp_words){ 501, "5.5.4", "A number is out of range" };
	case E_UNSUPPORTED: return (struct smtp_words){ 504, "5.5.4", "Not supported" };
	case E_FULL: return (struct smtp_words){ 452, "4.3.1", "The disk of this server is full, try again later" };
	case E_TIMEOUT: return (struct smtp_words){ 421, "4.4.2", "Nothing heard for too long, closing" };
	case E_CANCELED: return (struct smtp_words){ 421, "4.3.2", "This server is stopping, try again soon" };
	case E_CLOSED: return (struct smtp_words){ 421, "4.4.2", "The connection is gone" };
	case E_CONFLICT: // a recipient was removed meanwhile; the next try learns it at RCPT
	case E_EXISTS:
	case E_TEMP:
	case E_IO:
	case E_CORRUPT:
	case E_COUNT: return busy;
	}
	return busy;
}

struct smtp_words smtp_words_crowd(void)
{
	return (struct smtp_words){ 452, "4.5.3", "Too many recipients, send the rest in another message" };
}

struct smtp_words smtp_words_syntax(enum ec e)
{
	static const struct smtp_words odd = { 501, "5.5.4", "Cannot understand what follows the command" };

	switch (e) {
	case E_UNSUPPORTED: return (struct smtp_words){ 500, "5.5.1", "No such command, try HELP" };
	case E_TOOBIG: return (struct smtp_words){ 500, "5.5.2", "The line or an address in it is too long" };
	case E_RANGE: return (struct smtp_words){ 501, "5.5.4", "A number is out of range" };
	case E_LIMIT: return (struct smtp_words){ 501, "5.5.4", "Too many parameters" };
	case E_TEMP: return (struct smtp_words){ 451, "4.3.0", "Out of memory for this session, try again later" };
	case E_OK:
	case E_NOTFOUND:
	case E_EXISTS:
	case E_SYNTAX:
	case E_QUOTA:
	case E_DENIED:
	case E_AUTH:
	case E_CONFLICT:
	case E_STATE:
	case E_FULL:
	case E_IO:
	case E_CORRUPT:
	case E_TIMEOUT:
	case E_CANCELED:
	case E_CLOSED:
	case E_COUNT: return odd;
	}
	return odd;
}

struct smtp_words smtp_words_login(enum ec e)
{
	static const struct smtp_words away = { 454, "4.7.0", "Cannot check logins at the moment, try again later" };

	switch (e) {
	case E_OK: return (struct smtp_words){ 235, "2.7.0", "Welcome" };
	case E_AUTH: return (struct smtp_words){ 535, "5.7.8", "User name or password is wrong" };
	case E_DENIED:
		return (struct smtp_words){ 535, "5.7.8",
			"Sending mail is switched off for this account, ask the postmaster" };
	case E_STATE: return (struct smtp_words){ 538, "5.7.11", "Start TLS before logging in" };
	case E_UNSUPPORTED: return (struct smtp_words){ 504, "5.5.4", "No such login mechanism here" };
	case E_SYNTAX: return (struct smtp_words){ 501, "5.5.2", "Cannot understand that login message" };
	case E_TOOBIG: return (struct smtp_words){ 500, "5.5.6", "The login message is too long" };
	case E_CANCELED: return (struct smtp_words){ 501, "5.7.0", "Login cancelled" };
	case E_LIMIT: return (struct smtp_words){ 454, "4.7.0", "Too many failed logins, try again later" };
	case E_QUOTA: return (struct smtp_words){ 454, "4.7.0", "Too many sessions of this user from your address" };
	case E_NOTFOUND:
	case E_EXISTS:
	case E_RANGE:
	case E_CONFLICT:
	case E_TEMP:
	case E_FULL:
	case E_IO:
	case E_CORRUPT:
	case E_TIMEOUT:
	case E_CLOSED:
	case E_COUNT: return away;
	}
	return away;
}
