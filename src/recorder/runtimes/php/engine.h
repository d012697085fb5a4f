// The Zend engine's memory: where its frames are and how they are laid out. Reads only.
//
// What is the same in PHP 7.4 to 8.4 stands here as numbers; what differs is found in the running
// engine and checked against what the engine itself says (zend_get_executed_lineno and others,
// which only read). Until that has agreed several times, each read is checked with the kernel.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PHP_ENGINE_H
#define UNCLOSED_RECORDER_RUNTIMES_PHP_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/runtimes/locations.h"

// From Zend/zend_compile.h, zend_types.h, zend.h and ext/pdo/php_pdo_driver.h.
enum php_offsets {
    PHP_FRAME_LINE_AT = 0, // struct _zend_execute_data: opline
    PHP_FRAME_FUNCTION = 24,
    PHP_FRAME_THIS = 32,
    PHP_FRAME_PREVIOUS = 48,
    PHP_LINE_NUMBER = 24, // struct _zend_op: lineno
    PHP_FUNCTION_TYPE = 0,
    PHP_FUNCTION_NAME = 8,
    PHP_FUNCTION_CLASS = 16,
    PHP_CLASS_NAME = 8,
    PHP_STRING_HASH = 8,
    PHP_STRING_BYTES = 16,
    PHP_STRING_TEXT = 24,
    PHP_PDO_INNER = -8,     // from the zend_object of a PDO: its pdo_dbh_t
    PHP_PDO_PERSISTENT = 32 // the byte whose lowest bit tells
};

// Looks the engine up. false: there is none. Takes the loader's lock.
bool php_engine_find(void);

// Whether the calling thread is the one that runs PHP (there is one: builds for threads are left
// alone). Inside recorder_enter.
bool php_engine_is_here(void);

// The innermost frame, 0 if no PHP code runs. false: the layout is not known (yet). On PHP's
// thread.
bool php_engine_frame(uint64_t *frame);

// Whether PHP code runs, layout known or not.
bool php_engine_executes(void);

// A word of the engine's. false: it cannot be read.
bool php_read(uint64_t address, uint64_t *value);

// A zend_string. false: it cannot be read, or makes no sense.
bool php_read_text(uint64_t address, struct runtime_text *text);

// The function of a frame. user: written in PHP; else it is C's. false: the frame has none.
bool php_read_function(uint64_t frame, uint64_t *function, bool *user);

// File and line of a frame of PHP code.
bool php_read_place(uint64_t frame, uint64_t function, struct runtime_text *file, uint32_t *line);

// A number made of the line and the hashes of all texts of a frame's place; 0: the layout is not
// trusted yet, or not all texts have been hashed.
uint64_t php_stamp(uint64_t frame, uint64_t function, uint32_t *line);

// Name and class (NULL: none) of a function.
bool php_read_name(uint64_t function, struct runtime_text *class, struct runtime_text *name);

// Whether this is the command line's PHP: there the end of the request is the end of the script.
bool php_engine_is_script(void);

#endif
