// The word count in C++17: functions are lambdas that capture nothing.
#include <leat/leat.h>

static void word_count(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    auto *lines = leat_builder_stream(b, "lines", str, str, nullptr);
    auto *words = leat_stream_flat_map_values(
        lines, "split",
        [](leat_ctx_t *ctx, const leat_record_t *in) {
            const auto *line = static_cast<const leat_slice_t *>(in->value);
            if (line == nullptr)
                return;
            leat_slice_t rest = *line, word;
            while (leat_slice_token(&rest, nullptr, &word))
                leat_emit_value(ctx, leat_lower(ctx, &word));
        },
        str, nullptr);
    auto *same = leat_stream_group_by(
        words, "by-word",
        [](leat_ctx_t *ctx, const leat_record_t *in) { leat_emit_key(ctx, in->value); }, str,
        nullptr);
    auto *counts = leat_grouped_count(same, "counts", nullptr);
    leat_table_to(counts, "word-counts", nullptr);
}

int main(int argc, char **argv)
{
    leat_main_opts_t opts{};
    opts.about = "Counts the words of a topic of lines.";
    opts.lines_are_values = true;
    return leat_main(argc, argv, "word-count-cpp", word_count, &opts);
}
