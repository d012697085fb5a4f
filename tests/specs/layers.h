// See layers_lib.c.
#ifndef LAYERS_H
#define LAYERS_H

struct counted;
struct outer;

int counted_get_ex(struct counted **handle, int flag);
int counted_get(struct counted **handle);
void counted_put(struct counted **handle);
void counted_dismiss(struct counted **handle);

struct outer *outer_new(void);
long outer_connect_ex(struct outer *handle, const char *name, int more);
long outer_connect(struct outer *handle, const char *name);
long outer_disconnect(struct outer *handle);

#endif
