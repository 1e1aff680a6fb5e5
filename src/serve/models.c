/* The models of a server: slots by name, each with the version that answers now.
 *
 *     slot "helpdesk" ─▶ version 2 (new requests)        a reload loads version 3 beside it, then moves the arrow;
 *                        version 1 (2 requests left)     an old version ends when its last request has
 *
 * A version is a model's file together with the task files that it answers and what was fitted to them: when one of
 * these changes, all are read again, and one that is broken leaves the old version in its place.
 *
 * A version (struct serve_model) is reference-counted: the slot holds one, each request one. The last reference may
 * be dropped by the loop; freeing waits for the scheduler's thread and unmaps gigabytes, so it is left to this file's
 * own thread, which also does the reloading, that of the policy (policy.c) included. `lock` guards the slots' pointers
 * and the two wishes of that thread. */
#include "routing.h"
#include "plat_file.h"
#include "plat_mem.h"
#include "task_calib.h"
#include "task_fit.h"
#include "task_model.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

struct slot {
    const char *name, *source;
    struct serve_model *now;
    const char **task; /* [n_tasks] files of the tasks that this model answers; borrowed */
    size_t n_tasks;
};
struct serve_models {
    struct serve *serve;
    struct slot *slot;
    size_t n;
    pthread_mutex_t lock;
    pthread_cond_t some;
    pthread_t thread;
    bool started, ending, reload;
    _Atomic uint64_t generation;
    struct serve_model *retired;
    uint32_t n_alive; /* versions not freed yet */
};

static void free_version(struct serve_model *m)
{
    infer_scheduler_free(m->scheduler);
    for (size_t i = 0; i < m->n_tasks; i++) {
        task_model_free(m->task[i]);
        task_free(m->definition[i]);
    }
    mem_free(m->task);
    mem_free(m->definition);
    serve_grammars_free(m->grammars);
    infer_chat_free(m->chat);
    tok_free(m->tok);
    infer_engine_close(m->engine);
    mem_free(m->name);
    mem_free(m->path);
    mem_free(m);
}

static uint64_t mix(uint64_t id, const struct stat *st)
{
    return id * 31 + (uint64_t)st->st_ino + (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
}

/* What would make m another version of its slot: the model's file, its tasks' files, and what was fitted to them. */
static int identify(const struct slot *slot, const struct serve_model *m, const char *path, uint64_t id[4],
                    struct err *e)
{
    struct stat st;
    if (stat(path, &st)) return err_errno(e, errno, "open", path);
    id[0] = (uint64_t)st.st_dev;
    id[1] = (uint64_t)st.st_ino;
    id[2] = (uint64_t)st.st_size;
    id[3] = mix(0, &st);
    for (size_t i = 0; i < slot->n_tasks; i++) {
        char *beside[] = {task_fit_path(path, m->definition[i]->name),
                          task_calibration_path(path, m->definition[i]->name)};
        bool whole = beside[0] && beside[1];
        for (int k = 0; k < 2; k++) {
            if (whole && stat(beside[k], &st) == 0) id[3] = mix(id[3], &st);
            mem_free(beside[k]);
        }
        if (!whole) return err_nomem(e, 0);
        if (stat(slot->task[i], &st)) return err_errno(e, errno, "open", slot->task[i]);
        id[3] = mix(id[3], &st);
    }
    return 0;
}

/* How the template writes a call of a tool, from the words it must use for it. */
static enum serve_tools tools_of(const struct gguf *g)
{
    struct str t;
    if (!gguf_get_str(g, "tokenizer.chat_template", &t) || !memmem(t.p, t.n, "tools", 5)) return SERVE_TOOLS_NONE;
    if (memmem(t.p, t.n, "<tool_call>", 11)) return SERVE_TOOLS_HERMES;
    if (memmem(t.p, t.n, "[TOOL_CALLS]", 12))
        return memmem(t.p, t.n, "[ARGS]", 6) ? SERVE_TOOLS_MISTRAL3 : SERVE_TOOLS_MISTRAL;
    if (memmem(t.p, t.n, "List of tools: ", 15)) return SERVE_TOOLS_LFM2;
    if (memmem(t.p, t.n, "<|python_tag|>", 14) || memmem(t.p, t.n, "ipython", 7)) return SERVE_TOOLS_LLAMA3;
    return SERVE_TOOLS_NONE;
}

/* The file of a model's prefixes: any name is one file's, in the folder. */
static int prefixes_path(const char *dir, const char *name, struct buf *out, struct err *e)
{
    int rc = plat_dir_make(dir);
    if (rc) return err_errno(e, -rc, "make the folder", dir);
    buf_fmt(out, "%s/", dir);
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        buf_fmt(out,
                isalnum(*c) || strchr("-_", *c) || (*c == '.' && c > (const unsigned char *)name) ? "%c" : "%%%02X",
                *c);
    buf_str(out, ".prefixes");
    buf_char(out, 0);
    return buf_check(out, "the name of a file", e);
}

static int start_scheduler(struct serve *s, struct serve_model *m, struct err *e)
{
    const struct serve_params *p = &s->p;
    struct buf prefixes;
    buf_init(&prefixes, PATH_MAX);
    int rc = p->prefixes_dir && m->generates ? prefixes_path(p->prefixes_dir, m->name, &prefixes, e) : 0;
    struct infer_scheduler_params sp = {.n_cache = p->n_cache,
                                        .n_ctx = p->n_ctx,
                                        .n_parallel = p->n_parallel,
                                        .n_queue = p->n_queue,
                                        .kv = p->kv,
                                        .batch_invariant = p->batch_invariant,
                                        .prefixes = prefixes.data};
    if (!rc) rc = infer_scheduler_new(m->engine, m->tok, &sp, &m->scheduler, e);
    buf_done(&prefixes);
    return rc;
}

/* Does another model answer a task of this name? At the start, slots are filled in order. */
static bool name_is_taken(struct serve_models *ms, const struct slot *slot, const struct serve_model *m,
                          const char *name)
{
    for (size_t k = 0; k < m->n_tasks; k++)
        if (strcmp(m->definition[k]->name, name) == 0) return true;
    for (size_t i = 0; i < ms->n; i++)
        for (size_t k = 0; &ms->slot[i] != slot && ms->slot[i].now && k < ms->slot[i].now->n_tasks; k++)
            if (strcmp(ms->slot[i].now->definition[k]->name, name) == 0) return true;
    return false;
}

static int load_tasks(struct serve_models *ms, const struct slot *slot, struct serve_model *m, struct err *e)
{
    m->definition = mem_calloc(slot->n_tasks + 1, sizeof(struct task *));
    m->task = mem_calloc(slot->n_tasks + 1, sizeof *m->task);
    if (!m->definition || !m->task) return err_nomem(e, slot->n_tasks * sizeof *m->task);
    for (size_t i = 0; i < slot->n_tasks; i++) {
        struct task *t;
        int rc = task_load(slot->task[i], &t, e);
        if (rc) return rc;
        bool taken = name_is_taken(ms, slot, m, t->name);
        if (taken) rc = ERR(e, USAGE, "Two tasks are called '%.60s'.", t->name);
        m->definition[m->n_tasks++] = t; /* from here on free_version cleans up */
        if (rc) return rc;
    }
    return 0;
}

static int bind_tasks(struct serve_model *m, struct err *e)
{
    struct task_engine g = {.scheduler = m->scheduler, .tok = m->tok, .chat = m->chat, .path = m->path};
    for (size_t i = 0; i < m->n_tasks; i++) {
        int rc = task_model_new(&g, m->definition[i], &m->task[i], e);
        if (rc) return rc;
    }
    return 0;
}

/* The cache takes its memory from the system while it fills, and with none left the system would end the process: the
 * start is the time to say so. What is packed of the file is not resident yet. */
static void look_at_memory(const struct serve_model *m)
{
    struct infer_load load;
    double need, have = (double)plat_mem_available(), gib = 1 << 30;
    infer_scheduler_load(m->scheduler, &load);
    need = (double)load.cache_bytes + (double)m->file_id[2];
    if (have >= 0 && need > have)
        log_warn("the model %s and its cache of %u tokens can grow to %.1f GiB, and %.1f GiB of memory are available: "
                 "set a smaller --cache or --ctx, or --kv q8_0",
                 m->name, load.cache_tokens, need / gib, have / gib);
}

static int load_version(struct serve_models *ms, const struct slot *slot, char *path, struct serve_model **out,
                        struct err *e)
{
    struct serve *s = ms->serve;
    struct serve_model *m = mem_calloc(1, sizeof *m);
    if (!m) {
        mem_free(path);
        return err_nomem(e, sizeof *m);
    }
    m->path = path;
    m->owner = ms;
    m->created = clock_unix_s();
    atomic_init(&m->references, 1);
    m->name = mem_strdup(slot->name);
    m->grammars = serve_grammars_new();
    int rc = m->name && m->grammars ? load_tasks(ms, slot, m, e) : err_nomem(e, 0);
    if (rc == 0) rc = identify(slot, m, path, m->file_id, e);
    if (rc == 0)
        rc = infer_engine_open(path, &(struct infer_engine_params){.n_threads = s->p.n_threads}, &m->engine, e);
    if (rc == 0) rc = tok_new(infer_engine_gguf(m->engine), &m->tok, e);
    if (rc == 0 && s->routing) rc = gguf_fingerprint(infer_engine_gguf(m->engine), m->fingerprint, e);
    if (rc == 0) {
        const struct model *model = infer_engine_model(m->engine);
        struct err none;
        m->n_vocab = model->n_vocab;
        m->n_ctx = s->p.n_ctx ? s->p.n_ctx : model->n_ctx_train < 4096 ? model->n_ctx_train : 4096;
        if (infer_chat_new(infer_engine_gguf(m->engine), m->tok, &m->chat, &none) && none.code != CROFT_E_NOT_FOUND) {
            *e = none;
            rc = none.code;
        }
        m->tools = m->chat ? tools_of(infer_engine_gguf(m->engine)) : SERVE_TOOLS_NONE;
        if (model->n_ctx_train && m->n_ctx > model->n_ctx_train)
            log_warn("the model %s was trained with contexts of %u tokens; with --ctx %u, answers behind longer "
                     "prompts can be wrong",
                     m->name, model->n_ctx_train, m->n_ctx);
        m->n_markers = serve_tools_markers(m->tools, m->tok, m->marker);
        m->generates = model->causal;
        if (rc == 0) rc = start_scheduler(s, m, e);
        if (rc == 0) look_at_memory(m);
        if (rc == 0) rc = bind_tasks(m, e);
    }
    if (rc) {
        free_version(m);
        return rc;
    }
    *out = m;
    return 0;
}

static int load_slot(struct serve_models *ms, struct slot *slot, bool only_if_changed, struct err *e)
{
    char *path = NULL;
    uint64_t id[4];
    int rc = ms->serve->p.resolve(ms->serve->p.user, slot->source, &path, e);
    if (rc) return rc;
    if (only_if_changed && (rc = identify(slot, slot->now, path, id, e)) == 0 &&
        memcmp(id, slot->now->file_id, sizeof id) == 0) {
        mem_free(path);
        return 0;
    }
    if (rc) {
        mem_free(path);
        return rc;
    }
    struct serve_model *fresh, *old;
    if ((rc = load_version(ms, slot, path, &fresh, e))) return rc;
    infer_engine_warm(fresh->engine);
    pthread_mutex_lock(&ms->lock);
    ms->n_alive++;
    old = slot->now;
    slot->now = fresh;
    atomic_fetch_add(&ms->generation, 1);
    pthread_mutex_unlock(&ms->lock);
    if (old) infer_scheduler_leave_file(old->scheduler);
    if (old) log_info("the model %s is answered by its new version", slot->name);
    serve_model_unref(old);
    return 0;
}

static void reload_all(struct serve_models *ms)
{
    for (size_t i = 0; i < ms->n; i++) {
        struct err e = {0};
        if (load_slot(ms, &ms->slot[i], true, &e))
            log_warn("the model %s stays as it was: %s", ms->slot[i].name, e.msg);
    }
}

/* At the end, on the thread that also reloads: nobody else looks at the slots any more. */
static void let_slots_go(struct serve_models *ms)
{
    for (size_t i = 0; i < ms->n; i++) {
        serve_model_unref(ms->slot[i].now);
        ms->slot[i].now = NULL;
    }
}

/* The models' own thread: frees what has ended, reloads on request, ends when all versions are gone. */
static void *work(void *arg)
{
    struct serve_models *ms = arg;
    bool let_go = false;
    pthread_mutex_lock(&ms->lock);
    for (;;) {
        struct serve_model *m = ms->retired;
        if (m) {
            ms->retired = m->next_retired;
            pthread_mutex_unlock(&ms->lock);
            free_version(m);
            pthread_mutex_lock(&ms->lock);
            ms->n_alive--;
        } else if (ms->reload && !ms->ending) {
            ms->reload = false;
            pthread_mutex_unlock(&ms->lock);
            serve_policy_reload(ms->serve);
            reload_all(ms);
            pthread_mutex_lock(&ms->lock);
        } else if (ms->ending && !let_go) {
            let_go = true;
            pthread_mutex_unlock(&ms->lock);
            let_slots_go(ms);
            pthread_mutex_lock(&ms->lock);
        } else if (ms->ending && ms->n_alive == 0) {
            break;
        } else {
            pthread_cond_wait(&ms->some, &ms->lock);
        }
    }
    pthread_mutex_unlock(&ms->lock);
    return NULL;
}

void serve_model_unref(struct serve_model *m)
{
    if (!m || atomic_fetch_sub(&m->references, 1) != 1) return;
    struct serve_models *ms = m->owner;
    pthread_mutex_lock(&ms->lock);
    m->next_retired = ms->retired;
    ms->retired = m;
    pthread_cond_signal(&ms->some);
    pthread_mutex_unlock(&ms->lock);
}

/* Task files to the slots of their models. */
static int assign_tasks(struct serve_models *ms, const struct serve_params *p, struct err *e)
{
    for (size_t i = 0; i < p->n_tasks; i++) {
        const struct serve_task_source *source = &p->tasks[i];
        size_t k = 0;
        int rc = serve_task_model(p, source, &k, e);
        if (rc) return rc;
        struct slot *slot = &ms->slot[k];
        const char **more = mem_realloc(slot->task, (slot->n_tasks + 1) * sizeof *more);
        if (!more) return err_nomem(e, 0);
        slot->task = more;
        slot->task[slot->n_tasks++] = source->path;
    }
    return 0;
}

int serve_models_new(struct serve *s, struct serve_models **out, struct err *e)
{
    struct serve_models *ms = mem_calloc(1, sizeof *ms);
    if (!ms) return err_nomem(e, sizeof *ms);
    ms->serve = s;
    pthread_mutex_init(&ms->lock, NULL);
    pthread_cond_init(&ms->some, NULL);
    ms->slot = mem_calloc(s->p.n_models, sizeof *ms->slot);
    int rc = ms->slot ? 0 : err_nomem(e, s->p.n_models * sizeof *ms->slot);
    if (rc == 0) {
        int failed = pthread_create(&ms->thread, NULL, work, ms);
        if (failed) rc = err_errno(e, failed, "start", "a thread");
        ms->started = !failed;
    }
    for (size_t i = 0; rc == 0 && i < s->p.n_models; i++) {
        ms->slot[i] = (struct slot){.name = s->p.models[i].name, .source = s->p.models[i].model};
        ms->n = i + 1;
    }
    if (rc == 0) rc = assign_tasks(ms, &s->p, e);
    for (size_t i = 0; rc == 0 && i < ms->n; i++) rc = load_slot(ms, &ms->slot[i], false, e);
    if (rc)
        serve_models_free(ms);
    else
        *out = ms;
    return rc;
}

void serve_models_free(struct serve_models *ms)
{
    if (!ms) return;
    pthread_mutex_lock(&ms->lock);
    ms->ending = true;
    pthread_cond_signal(&ms->some);
    pthread_mutex_unlock(&ms->lock);
    if (ms->started) pthread_join(ms->thread, NULL);
    for (size_t i = 0; i < ms->n; i++) mem_free(ms->slot[i].task);
    pthread_cond_destroy(&ms->some);
    pthread_mutex_destroy(&ms->lock);
    mem_free(ms->slot);
    mem_free(ms);
}

uint64_t serve_models_generation(const struct serve_models *ms) { return atomic_load(&ms->generation); }
size_t serve_models_n(const struct serve_models *ms) { return ms->n; }

struct serve_model *serve_models_at(struct serve_models *ms, size_t i)
{
    pthread_mutex_lock(&ms->lock);
    struct serve_model *m = i < ms->n ? ms->slot[i].now : NULL;
    if (m) atomic_fetch_add(&m->references, 1);
    pthread_mutex_unlock(&ms->lock);
    return m;
}

struct serve_model *serve_models_find(struct serve_models *ms, const char *name)
{
    for (size_t i = 0; i < ms->n; i++)
        if (strcmp(ms->slot[i].name, name) == 0) return serve_models_at(ms, i);
    return NULL;
}

struct serve_model *serve_models_of_task(struct serve_models *ms, const char *task, struct task_model **out)
{
    for (size_t i = 0; i < ms->n; i++) {
        struct serve_model *m = serve_models_at(ms, i);
        for (size_t k = 0; m && k < m->n_tasks; k++) {
            if (strcmp(m->definition[k]->name, task) != 0) continue;
            *out = m->task[k];
            return m;
        }
        serve_model_unref(m);
    }
    return NULL;
}

void serve_models_reload(struct serve_models *ms)
{
    pthread_mutex_lock(&ms->lock);
    ms->reload = true;
    pthread_cond_signal(&ms->some);
    pthread_mutex_unlock(&ms->lock);
}
