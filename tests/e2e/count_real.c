// Stands for the real library when a counting one is linked (see count_shim.c); empty.
extern int count_real_is_a_stub;
int count_real_is_a_stub = 1;
