/*
 * For restore_bar.py: a program of leat_main() that counts its input's keys, and whose restores take a
 * while: after each batch it waits, until the file that --fast names is there.
 */
#include <leat/leat.h>

#include <unistd.h>

static const char *fast;

static void wait_a_little(void *user, const leat_restore_t *progress)
{
    (void)user;
    if (progress->event == LEAT_RESTORE_BATCH && access(fast, F_OK) != 0)
        usleep(300000);
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    fast = leat_builder_setting(b, "program.fast"); /* the configuration outlives the app */
    leat_table_to(leat_grouped_count(leat_stream_group_by_key(
                                         leat_builder_stream(b, "in", str, str, NULL), NULL, NULL),
                      "counts", NULL),
        "out", NULL);
}

int main(int argc, char **argv)
{
    static const leat_option_t options[] = {{"fast", NULL, "file that ends the waits"}, {0}};

    return leat_main(argc, argv, "restore-slowly", build,
        &(leat_main_opts_t){.options = options, .app.on_restore = wait_a_little});
}
