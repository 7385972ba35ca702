/// main — one program: a role where the master started it as one, else the command line.
#include <stdio.h>
#include <string.h>

#include "main/cli.h"
#include "main/role.h"

static int role_main(const char *name)
{
	for (unsigned r = 0; r < ROLES; r++)
		if (strcmp(name, role_name((enum role)r)) == 0)
			return r == ROLE_STORE ? role_store_main() : role_front_main((enum role)r);
	fprintf(stderr, "hongyan: no such role: %s\n", name);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return role_main(argv[2]);
	return cli_main(argc, argv);
}
