/*
 * runtime/broker_open.c: which log an app talks to, by bootstrap.servers. The one place that knows both sides of the seam.
 */
#include "broker.h"
#include "base/config.h"
#include "base/log.h"
#include "embedded/embedded.h"

#include <string.h>

leat__broker_t *leat__broker_open(const leat_config_t *config, leat_error_t *err)
{
    const char *servers = leat__config_text(config, "bootstrap.servers");

    if (servers[0] == '\0') {
        leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "bootstrap.servers",
            "not set: give HOST:PORT of a broker, or \"embedded:\" to run without one");
        return NULL;
    }
    if (strncmp(servers, "embedded:", strlen("embedded:")) == 0)
        return leat__embedded_open(config, err);
    return leat__kafka_open(config, err);
}
