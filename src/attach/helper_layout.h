// The page that the injector and the helper thread in the target share: one struct in C, byte
// offsets for the assembly files. helper.c asserts that both agree.
#ifndef UNCLOSED_ATTACH_HELPER_LAYOUT_H
#define UNCLOSED_ATTACH_HELPER_LAYOUT_H

#define HELPER_THREAD 0         // pthread_t of the worker
#define HELPER_CREATE 8         // address of pthread_create
#define HELPER_DETACH 16        // address of pthread_detach
#define HELPER_TLS_INIT 24      // address of ld.so's _dl_allocate_tls_init
#define HELPER_TCB 32           // thread control block of the first thread
#define HELPER_CREATE_RESULT 40 // what pthread_create returned
#define HELPER_CREATED 48       // 32 bits: 1 once pthread_create has returned
#define HELPER_FIRST_LIVES 52   // 32 bits: the kernel clears it when the first thread is gone
#define HELPER_ASKED 56         // 32 bits: number of the latest call asked for
#define HELPER_ANSWERED 60      // 32 bits: number of the latest call done
#define HELPER_FUNCTION 64      // address to call
#define HELPER_ARGUMENTS 72     // six of 64 bits
#define HELPER_RESULT 120       // what it returned
#define HELPER_MUNMAP 128       // address of munmap
#define HELPER_BASE 136         // of the mapping with the code, this page and the rest
#define HELPER_BYTES 144        // of that mapping
#define HELPER_LEAVE 152        // 32 bits: 1: clean up and end
#define HELPER_PATIENCE 156     // 32 bits: polls without a call until it leaves by itself
#define HELPER_POLL 160         // struct timespec: time between polls
#define HELPER_CLOSE 176        // two descriptors of 64 bits closed on leaving; -1: none
#define HELPER_NAME 192         // name of the threads, 16 bytes
#define HELPER_SIGNALS 208      // signals blocked in them, 64 bits
#define HELPER_TID_ADDRESS 224  // where the first thread's id has to be
#define HELPER_UNMAP 232        // how many bytes of the mapping are unmapped in the end
#define HELPER_MXCSR 216        // 32 bits: SSE control word of a new program (x86-64)

#ifndef __ASSEMBLER__
#include <stdint.h>
#include <time.h>

struct helper_page {
    uint64_t thread;
    uint64_t create, detach, tls_init, tcb;
    int64_t create_result;
    uint32_t created, first_lives, asked, answered;
    uint64_t function;
    uint64_t arguments[6];
    int64_t result;
    uint64_t munmap, base, bytes;
    uint32_t leave, patience;
    int64_t poll[2]; // a 64-bit struct timespec
    int64_t close[2];
    char name[16];
    uint64_t signals;
    uint32_t mxcsr;
    uint64_t tid_address;
    uint64_t unmap;
};
#endif

#endif
