#pragma once
/// commands — what the table of the command line runs. Each returns an exit code; see main/cli.h.
#include "main/cli.h"

int cmd_init(struct cx *cx, struct cli *cli);
int cmd_serve(struct cx *cx, struct cli *cli);
int cmd_config_check(struct cx *cx, struct cli *cli);
int cmd_config_print(struct cx *cx, struct cli *cli);
int cmd_domain_add(struct cx *cx, struct cli *cli);
int cmd_domain_remove(struct cx *cx, struct cli *cli);
int cmd_domain_list(struct cx *cx, struct cli *cli);
int cmd_user_add(struct cx *cx, struct cli *cli);
int cmd_user_remove(struct cx *cx, struct cli *cli);
int cmd_user_list(struct cx *cx, struct cli *cli);
int cmd_user_passwd(struct cx *cx, struct cli *cli);
int cmd_user_set(struct cx *cx, struct cli *cli);
int cmd_alias_add(struct cx *cx, struct cli *cli);
int cmd_alias_remove(struct cx *cx, struct cli *cli);
int cmd_alias_list(struct cx *cx, struct cli *cli);
int cmd_postmaster(struct cx *cx, struct cli *cli);
int cmd_store_check(struct cx *cx, struct cli *cli);
int cmd_store_stats(struct cx *cx, struct cli *cli);
int cmd_import(struct cx *cx, struct cli *cli);
int cmd_export(struct cx *cx, struct cli *cli);
