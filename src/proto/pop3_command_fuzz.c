/// Fuzzes POP3 command lines; every slice of the result lies in the line.
#include <stdlib.h>

#include "proto/pop3_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pop3_command cmd;

	if (pop3_parse_command((struct sl){ data, size }, &cmd) != E_OK)
		return 0;
	const struct sl slices[] = { cmd.name, cmd.password, cmd.auth.mechanism, cmd.auth.initial };
	for (size_t i = 0; i < 4; i++)
		if (slices[i].n && (slices[i].p < data || slices[i].p + slices[i].n > data + size))
			abort();
	return 0;
}
