/// ec — names of the error codes.
#include "base/ec.h"

const char *ec_name(enum ec e)
{
	switch (e) {
	case E_OK: return "ok";
	case E_NOTFOUND: return "notfound";
	case E_EXISTS: return "exists";
	case E_SYNTAX: return "syntax";
	case E_TOOBIG: return "toobig";
	case E_RANGE: return "range";
	case E_LIMIT: return "limit";
	case E_QUOTA: return "quota";
	case E_DENIED: return "denied";
	case E_AUTH: return "auth";
	case E_CONFLICT: return "conflict";
	case E_STATE: return "state";
	case E_UNSUPPORTED: return "unsupported";
	case E_TEMP: return "temp";
	case E_FULL: return "full";
	case E_IO: return "io";
	case E_CORRUPT: return "corrupt";
	case E_TIMEOUT: return "timeout";
	case E_CANCELED: return "canceled";
	case E_CLOSED: return "closed";
	case E_COUNT: break;
	}
	return "unknown";
}
