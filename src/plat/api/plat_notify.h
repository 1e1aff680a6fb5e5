/* Words to the service manager. */
#ifndef PLAT_NOTIFY_H
#define PLAT_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=a text"; several, with line feeds between. Nothing happens where nobody listens. */
void plat_notify(const char *state);

#endif
