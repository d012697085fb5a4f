// Functions whose return addresses test_symbols looks up.
#ifndef UNCLOSED_TESTS_SYMBOLS_EXAMPLE_H
#define UNCLOSED_TESTS_SYMBOLS_EXAMPLE_H

#ifdef __cplusplus
extern "C" {
#endif

// Each returns a return address within itself, or within what is inlined into it.
const void *example_plain(void);
const void *example_inlined(void);
const void *example_lambda(void);

#ifdef __cplusplus
}
#endif

// Lines of symbols_example.cc.
enum {
    EXAMPLE_PLAIN_LINE = 21,
    EXAMPLE_INNERMOST_LINE = 33,
    EXAMPLE_OPEN_LINE = 43,
    EXAMPLE_INLINED_LINE = 52,
};

#endif
