/// answer — two tables, each a switch over every code, so that a new code needs an answer here.
#include "front/pop3/answer.h"

#include <stddef.h>

struct pop3_words pop3_words_login(enum ec e)
{
	static const struct pop3_words away = { "SYS/TEMP", "Cannot open the mailbox at the moment, try again later" };

	switch (e) {
	case E_AUTH: return (struct pop3_words){ "AUTH", "User name or password is wrong" };
	case E_DENIED:
		return (struct pop3_words){ "AUTH", "POP3 is switched off for this account, ask the postmaster" };
	case E_CONFLICT: return (struct pop3_words){ "IN-USE", "Another POP3 session has this mailbox open" };
	case E_CORRUPT: return (struct pop3_words){ "SYS/PERM", "The mailbox is damaged, tell the postmaster" };
	case E_STATE: return (struct pop3_words){ NULL, "Start TLS (STLS) before logging in" };
	case E_UNSUPPORTED: return (struct pop3_words){ NULL, "No such login mechanism here" };
	case E_SYNTAX: return (struct pop3_words){ NULL, "Cannot understand that login message" };
	case E_TOOBIG: return (struct pop3_words){ NULL, "The login message is too long" };
	case E_CANCELED: return (struct pop3_words){ NULL, "Login cancelled" };
	case E_LIMIT: return (struct pop3_words){ "SYS/TEMP", "Too many failed logins, try again later" };
	case E_QUOTA: return (struct pop3_words){ "SYS/TEMP", "Too many sessions of this user from your address" };
	case E_OK:
	case E_NOTFOUND:
	case E_EXISTS:
	case E_RANGE:
	case E_TEMP:
	case E_FULL:
	case E_IO:
	case E_TIMEOUT:
	case E_CLOSED:
	case E_COUNT: return away;
	}
	return away;
}

struct pop3_words pop3_words(enum ec e)
{
	static const struct pop3_words away = { "SYS/TEMP", "The mail store is busy, try again later" };

	switch (e) {
	case E_NOTFOUND: return (struct pop3_words){ NULL, "That message was removed by another program meanwhile" };
	case E_CORRUPT: return (struct pop3_words){ "SYS/PERM", "That message is damaged, tell the postmaster" };
	case E_AUTH:
	case E_DENIED: return (struct pop3_words){ "AUTH", "The login has expired, log in again" };
	case E_OK:
	case E_EXISTS:
	case E_SYNTAX:
	case E_TOOBIG:
	case E_RANGE:
	case E_LIMIT:
	case E_QUOTA:
	case E_CONFLICT:
	case E_STATE:
	case E_UNSUPPORTED:
	case E_TEMP:
	case E_FULL:
	case E_IO:
	case E_TIMEOUT:
	case E_CANCELED:
	case E_CLOSED:
	case E_COUNT: return away;
	}
	return away;
}
