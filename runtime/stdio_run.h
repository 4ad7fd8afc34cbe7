/* runtime/stdio_run.h: --embedded: a topology between standard input and standard output. */
#ifndef LEAT__RUNTIME_STDIO_RUN_H
#define LEAT__RUNTIME_STDIO_RUN_H

#include "app.h"

/**
 * Run until standard input ends and all of it is processed, or a signal comes.
 * @param topology, config [adopt]
 * @return 0 or the error
 */
int leat__run_on_stdio(leat_topology_t *topology, leat_config_t *config,
    const leat_app_opts_t *opts, bool lines_are_values, leat_error_t *err);

#endif
