/*
 * word-count: count the words of one topic into another.
 *
 *   word-count --embedded < text      no broker: lines in, counts out
 *   word-count --bootstrap-servers HOST:PORT --input TOPIC --output TOPIC [--eos]
 *
 * Words are runs of letters and digits, in lower case. Each updated count is a record: the word,
 * and how often it came so far. With --embedded it is a line, WORD<TAB>COUNT.
 */
#include <leat/leat.h>

/* One line in, one record per word out; the key rides along unchanged. */
static void split_words(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *line = in->value;
    leat_slice_t rest, word;

    if (line == NULL)
        return;
    rest = *line;
    while (leat_slice_token(&rest, NULL, &word)) /* NULL: at what is no letter or digit */
        leat_emit_value(ctx, leat_lower(ctx, &word));
}

static void key_by_word(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

static void word_count(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    const char *input = leat_builder_setting(b, "program.input");
    const char *output = leat_builder_setting(b, "program.output");

    leat_stream_t *lines = leat_builder_stream(b, input, str, str, NULL);
    leat_stream_t *words = leat_stream_flat_map_values(lines, "split", split_words, str, NULL);
    leat_grouped_t *same = leat_stream_group_by(words, "by-word", key_by_word, str, NULL);
    leat_table_t *counts = leat_grouped_count(same, "counts", NULL);
    leat_table_to(counts, output, NULL);
}

int main(int argc, char **argv)
{
    static const leat_option_t options[] = {
        {"input", "lines", "topic of lines"},
        {"output", "word-counts", "topic of counts"},
        {0},
    };
    const leat_main_opts_t opts = {
        .about = "Counts the words of a topic of lines.",
        .options = options,
        .lines_are_values = true,
    };

    return leat_main(argc, argv, "word-count", word_count, &opts);
}
