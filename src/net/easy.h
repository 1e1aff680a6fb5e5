/* What every transfer of libcurl gets, whoever runs it: http.c (one at a time, on its caller's thread) and client.c
 * (many on a loop). The rules of net_http.h are in here, once. */
#ifndef NET_EASY_H
#define NET_EASY_H

#include "net_url.h"

#include <curl/curl.h>
#include <signal.h>

void net_easy_setup(void); /* libcurl's own, once a process; any thread */

/* May this URL be opened, with or without a secret in its headers? DENIED with a sentence. */
int net_easy_gate(const struct net_url *u, bool insecure_http, bool secret, struct err *e) ERR_CHECK;
/* Resets the handle. ca_file: the only authorities; NULL: the environment's or the system's. text: where libcurl
 * writes its reason, CURL_ERROR_SIZE bytes. Both strings are copied or outlive the transfer. */
void net_easy_options(CURL *c, const char *url, const struct net_url *u, const char *ca_file, char *text);
int net_easy_header(struct curl_slist **list, const char *name, const char *value, struct err *e) ERR_CHECK;
/* libcurl's verdict in our words. */
int net_easy_error(CURLcode c, const struct net_url *u, const char *text, struct err *e);

/* A line of an answer's head. A status line starts a new answer (also after "100 Continue"): name "", status set. The
 * empty line that ends the head: name "", status 0. False: neither, or longer than any that is used. */
struct net_easy_line {
    char text[4096];
    const char *name, *value; /* into text */
    int status;
};
bool net_easy_parse(const char *p, size_t n, struct net_easy_line *out);
/* Copies a value if it is printable ASCII and fits. */
void net_easy_keep(char *dst, size_t n, const char *value);

/* libcurl with NOSIGNAL leaves SIGPIPE to its caller: block it for this thread, and swallow one that arrived. */
struct net_quiet {
    sigset_t old;
    bool was_pending;
};
void net_quiet_begin(struct net_quiet *q);
void net_quiet_end(const struct net_quiet *q);

#endif
