/* Errors as OpenAI's clients expect them:
 *
 *     {"error": {"message": "…", "type": "invalid_request_error", "param": "temperature", "code": null}}
 *
 * The status comes from the table of croft/errors.h, but for what a request asks in vain: a field, schema or size
 * that is not supported is the client's to change, so UNSUPPORTED and LIMIT are 400 here. Any thread but where a
 * function takes an exchange: the loop. */
#include "fields.h"

#include <stdarg.h>

int serve_fault_status(const struct serve_fault *f)
{
    if (f->status) return f->status;
    if (f->err.code == CROFT_E_UNSUPPORTED || f->err.code == CROFT_E_LIMIT) return 400;
    return err_http(f->err.code);
}

static const char *type_of(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return status < 500 ? "invalid_request_error" : "server_error";
    }
}

static const char *code_of(const struct serve_fault *f)
{
    if (f->code) return f->code;
    switch (f->err.code) {
    case CROFT_E_NO_ROOM:
        return "context_length_exceeded";
    case CROFT_E_FULL:
        return "queue_full";
    case CROFT_E_DEADLINE:
        return "deadline_exceeded";
    case CROFT_E_UNKNOWN_KEY:
        return "invalid_api_key";
    default:
        return NULL;
    }
}

void serve_fault_body(const struct serve_fault *f, struct buf *out)
{
    const char *code = code_of(f), *message = f->err.msg;
    json_t *o = json_pack("{s:{s:o s:s s:o s:o}}", "error", "message",
                          json_stringn(message, utf8_complete(message, strlen(message))), "type",
                          type_of(serve_fault_status(f)), "param", f->param[0] ? json_string(f->param) : json_null(),
                          "code", code ? json_string(code) : json_null());
    if (!o || serve_json_dump(o, out, JSON_COMPACT)) {
        buf_clear(out);
        buf_str(
            out,
            "{\"error\":{\"message\":\"Out of memory.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}");
    }
    buf_char(out, '\n');
    json_decref(o);
}

void serve_reply_fault(struct serve *s, struct net_exchange *x, const struct serve_fault *f)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    serve_fault_body(f, &b);
    net_exchange_reply(x, serve_fault_status(f), "application/json", b.data ? b.data : "", b.len);
    buf_done(&b);
}

void serve_reply_json(struct serve *s, struct net_exchange *x, json_t *body)
{
    struct serve_fault f = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    if (body && serve_json_dump(body, &b, JSON_COMPACT) == 0 && buf_char(&b, '\n') == 0) {
        net_exchange_reply(x, 200, "application/json", b.data, b.len);
    } else {
        err_nomem(&f.err, 0);
        serve_reply_fault(s, x, &f);
    }
    buf_done(&b);
    json_decref(body);
}

int serve_refuse(struct serve_job *job, int code, const char *param, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct serve_fault *f = &job->fault;
    f->err = (struct err){.code = code, .pos = -1};
    vsnprintf(f->err.msg, sizeof f->err.msg, fmt, ap);
    snprintf(f->param, sizeof f->param, "%s", param);
    va_end(ap);
    return code;
}
