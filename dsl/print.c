/*
 * dsl/print.c: records as lines of text: "[label]: key, value". For looking at a stream while
 * developing.
 *
 * A file is opened per task, for appending, and each line is one write, so that tasks share it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "runtime/ctx.h"
#include "step.h"

typedef struct print_t {
    const char *label, *path;
    leat_map_fn text;
    const leat_serde_t *key, *value;
} print_t;

typedef struct printer_t { /* per task */
    FILE *file;
    leat__buf_t line;
} printer_t;

static void print_open(leat_ctx_t *ctx)
{
    const print_t *op = leat__operator(ctx);
    printer_t *printer = leat_local(ctx);

    printer->file = op->path ? fopen(op->path, "ae") : stdout;
    if (!printer->file)
        leat_fail(ctx, LEAT_EIO, "cannot open '%s' for appending: %s", op->path, strerror(errno));
}

static void print_close(leat_ctx_t *ctx)
{
    const print_t *op = leat__operator(ctx);
    printer_t *printer = leat_local(ctx);

    if (op->path && printer->file)
        fclose(printer->file);
    leat__buf_release(&printer->line);
}

static void write_line(leat_ctx_t *ctx, printer_t *printer)
{
    if (fwrite(printer->line.data, 1, printer->line.size, printer->file) == printer->line.size &&
        fflush(printer->file) == 0)
        return;
    leat_fail(ctx, LEAT_EIO, "cannot write a line of leat_stream_print: %s", strerror(errno));
    clearerr(printer->file);
}

static void start_line(const print_t *op, printer_t *printer)
{
    printer->line.size = 0;
    leat__buf_format(&printer->line, "[%s]: ", op->label);
}

static void end_line(leat_ctx_t *ctx, printer_t *printer, leat_slice_t text)
{
    leat__buf_put(&printer->line, text.data, text.size);
    leat__buf_put(&printer->line, "\n", 1);
    write_line(ctx, printer);
}

static void emit_text(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    const leat_slice_t *text = out->value;
    printer_t *printer = call->data;

    (void)how;
    (void)child;
    start_line(leat__operator(ctx), printer);
    end_line(ctx, printer, text ? *text : leat_slice("null"));
}

static void print_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const print_t *op = leat__operator(ctx);
    printer_t *printer = leat_local(ctx);
    leat__call_t call = {
        .in = in, .emit = emit_text, .allowed = LEAT__EMIT_VALUE, .count_max = 1, .data = printer};
    leat_slice_t key;

    if (op->text) {
        leat__call_map(ctx, &call, op->text, in);
        leat__call_check_one(ctx, &call);
        return;
    }
    start_line(op, printer);
    key = leat__print(op->key, in->key, &ctx->scratch);
    leat__buf_put(&printer->line, key.data, key.size);
    leat__buf_put(&printer->line, ", ", 2);
    end_line(ctx, printer, leat__print(op->value, in->value, &ctx->scratch));
}

static print_t *print_new(leat_stream_t *in, const leat_print_opts_t *opts)
{
    leat_builder_t *b = in->graph->builder;
    const char *label = opts && opts->label ? opts->label : in->part->name;
    print_t *op = leat__builder_alloc(b, sizeof *op);

    if (!op)
        return NULL;
    *op = (print_t){.label = leat__builder_strdup(b, label), .key = in->key, .value = in->value};
    if (opts && opts->path)
        op->path = leat__builder_strdup(b, opts->path);
    if (opts)
        op->text = opts->text;
    return op->label && (!opts || !opts->path || op->path) ? op : NULL;
}

void leat_stream_print(leat_stream_t *in, const char *name, const leat_print_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_print", "KSTREAM-PRINTER-", print_process, false, false};
    const leat_node_opts_t node = {
        .local_size = sizeof(printer_t), .open = print_open, .close = print_close};

    if (in->nil || !LEAT__RESERVED_ZERO(in->graph, o.call, opts))
        return;
    leat__stream_step(in, &o, name, print_new(in, opts), in->key, in->value, &node);
}
