/// replay — runs one fuzz target over every file of its corpus folder; part of the normal tests.
///
/// usage: replay-<target> FOLDER. Exit 0 where every file went through, 77 (skipped) where there is no corpus.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		return -1;
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	uint8_t *p = malloc(n > 0 ? (size_t)n : 1); // exact size: ASan sees one octet too many
	size_t got = fread(p, 1, (size_t)n, f);
	fclose(f);
	LLVMFuzzerTestOneInput(p, got);
	free(p);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	unsigned files = 0;

	if (!d)
		return 77;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && replay_file(argv[1], e->d_name) == 0)
			files++;
	closedir(d);
	printf("%u files\n", files);
	return files ? 0 : 77;
}
