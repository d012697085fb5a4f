// What the user reads when something cannot be done: one message with the remedy.
#ifndef UNCLOSED_ATTACH_FAILURE_H
#define UNCLOSED_ATTACH_FAILURE_H

struct failure {
    int error;      // errno value, positive
    char text[768]; // what is wrong, then what to do about it; no newline at the end
};

// Fills in *failure. Result: -error, so that a caller can return it.
int failure_set(struct failure *failure, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
