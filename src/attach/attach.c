// See attach.h.
#include "attach/attach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/checks.h"
#include "attach/helper.h"
#include "attach/process.h"
#include "attach/transport.h"
#include "trace/trace_replace.h"

#define MS UINT64_C(1000000)

enum {
    RECORDER_MS = 60000, // for the recorder's functions: it may wait for a language runtime
    PATH_MS = 5000,
    OTHER_MS = 5000,   // for another attach to end
    HELPER_MS = 20000, // for its helper to leave, which may get little of a busy processor
};

// A recorder's library in the target.
struct instance {
    uint64_t attach, detach, dump, path; // its functions
    uint64_t patched;                    // ... likewise
    uint64_t patches;                    // its table of patched functions
    bool recording;
};

// An attach under way: everything that has to be given back in the end.
struct session {
    pid_t pid;
    int lock;
    bool opened, helping;
    struct target target;
    struct helper helper;
    uint64_t begin;
};

// Only one at a time per process. The lock is on its folder in /proc and goes away with its holder;
// a helper thread that a killed attach has left ends by itself.
static int lock_process(struct session *session, struct failure *failure)
{
    char path[64];
    const pid_t pid = session->pid;
    snprintf(path, sizeof path, "/proc/%d", pid);
    session->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (session->lock < 0)
        return failure_set(failure, ESRCH, "there is no process %d", pid);
    const uint64_t begin = process_now();
    for (;;) {
        const bool locked = flock(session->lock, LOCK_EX | LOCK_NB) == 0;
        if (locked && !process_has_thread_named(pid, HELPER_THREAD_NAME))
            break;
        if (process_now() - begin >= (locked ? HELPER_MS : OTHER_MS) * MS)
            return failure_set(failure, EBUSY,
                               "another attach to or detach from process %d is under way; try "
                               "again when it is done",
                               pid);
        process_sleep(10 * MS);
    }
    return 0;
}

static int session_open(struct session *session, pid_t pid, struct failure *failure)
{
    *session = (struct session){.pid = pid, .lock = -1, .begin = process_now()};
    int error = checks_process(pid, failure);
    if (error == 0)
        error = lock_process(session, failure);
    if (error == 0)
        error = checks_open(&session->target, pid, failure);
    session->opened = error == 0;
    return error;
}

static int session_help(struct session *session, struct failure *failure)
{
    const int error = helper_begin(&session->helper, &session->target, failure);
    session->helping = error == 0;
    return error;
}

static void session_close(struct session *session, struct attach_report *report)
{
    if (session->helping) {
        helper_end(&session->helper);
        report->pause_ns = session->helper.start.pause_ns;
    }
    if (session->opened)
        target_close(&session->target);
    if (session->lock >= 0)
        close(session->lock);
    report->whole_ns = process_now() - session->begin;
}

static bool read_instance(const struct target *target, const struct module *module,
                          struct instance *instance)
{
    int32_t state = 0;
    const uint64_t address = module_symbol(target, module, "unclosed_state", NULL);
    *instance = (struct instance){
        .attach = module_symbol(target, module, "unclosed_attach", NULL),
        .detach = module_symbol(target, module, "unclosed_detach", NULL),
        .dump = module_symbol(target, module, "unclosed_dump", NULL),
        .path = module_symbol(target, module, "unclosed_trace_path", NULL),
        .patched = module_symbol(target, module, "unclosed_patched", NULL),
        .patches = module_symbol(target, module, "unclosed_patches", NULL),
    };
    if (address == 0 || instance->attach == 0 || instance->detach == 0 ||
        target_read(target, address, &state, sizeof state) != 0)
        return false;
    instance->recording = state != 0;
    return true;
}

// Whether a module has the build-id of the library in file `path`.
static bool is_build_of(const struct target *target, const struct module *module, const char *path)
{
    uint8_t id[MODULE_BUILD_ID_BYTES];
    const size_t length = module_build_id(target, module, id);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool same = false;
    if (file < 0)
        return false;
    if (length != 0 && fstat(file, &status) == 0) {
        char *data = malloc((size_t)status.st_size);
        const ssize_t got = data != NULL ? read(file, data, (size_t)status.st_size) : -1;
        // 20 bytes that are a hash occur once: no need to take the file apart.
        same = got > 0 && memmem(data, (size_t)got, id, length) != NULL;
        free(data);
    }
    close(file);
    return same;
}

// Finds the recorder that records; else, with `library`, an idle one of the same build.
static bool find_instance(const struct target *target, const char *library,
                          struct instance *instance)
{
    struct instance each = {0};
    bool found = false;
    for (size_t i = 0; i < target->module_count; i++) {
        const struct module *module = &target->modules[i];
        if (!read_instance(target, module, &each))
            continue;
        if (each.recording) {
            *instance = each;
            return true;
        }
        if (library != NULL && !found && is_build_of(target, module, library)) {
            *instance = each;
            found = true;
        }
    }
    return found;
}

static int load_recorder(struct session *session, const char *library, struct instance *instance,
                         struct failure *failure)
{
    uint64_t link = 0;
    const int error = transport_load_library(&session->helper, library, &link, failure);
    if (error != 0)
        return error;
    const struct module *module = target_add_module(&session->target, link);
    if (module != NULL && read_instance(&session->target, module, instance))
        return 0;
    return failure_set(failure, EINVAL,
                       "%s is not the recorder's library, or has another version; use the one that "
                       "belongs to this tool",
                       library);
}

// Calls one of the recorder's functions. Result: what it returned, or -errno; *failure is filled in
// only if the function could not be called.
static int call_recorder(struct session *session, uint64_t function, uint64_t argument,
                         struct failure *failure)
{
    const uint64_t arguments[6] = {argument};
    int64_t result = 0;
    failure->error = 0;
    const int error = helper_call(&session->helper, function, arguments, RECORDER_MS, &result);
    if (error == 0)
        return (int)(int32_t)result;
    session->helping = error != -ETIMEDOUT;
    if (error == -ESTALE)
        return failure_set(failure, ESTALE,
                           "this command was stopped for too long; the helper thread in process %d "
                           "has ended or is about to; try again",
                           session->pid);
    return failure_set(failure, -error,
                       error == -ETIMEDOUT
                           ? "the recorder in process %d does not respond; it may be waiting for a "
                             "lock of the program, and continues once it gets it"
                           : "process %d has ended or executed another program meanwhile",
                       session->pid);
}

static void copy_trace_path(struct session *session, const struct instance *instance,
                            struct attach_report *report)
{
    const uint64_t none[6] = {0};
    int64_t address = 0;
    if (instance->path == 0 ||
        helper_call(&session->helper, instance->path, none, PATH_MS, &address) != 0 ||
        address == 0 ||
        target_read_text(&session->target, (uint64_t)address, report->trace,
                         sizeof report->trace) != 0)
        report->trace[0] = '\0';
    for (char *c = report->trace; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; // it comes from the program: nothing for the terminal in it
    }
}

// Puts the options into the target's memory: those of the request and `count` more texts.
static int store_options(struct session *session, const struct attach_request *request,
                         char *const *more, size_t count, struct failure *failure)
{
    size_t at = request->options_bytes > 0 ? request->options_bytes - 1 : 0;
    int error = helper_store(&session->helper, 0, request->options, at);
    for (size_t i = 0; error == 0 && i < count; i++) {
        error = helper_store(&session->helper, at, more[i], strlen(more[i]) + 1);
        at += strlen(more[i]) + 1;
    }
    if (error == 0)
        error = helper_store(&session->helper, at, "", 1);
    if (error == 0)
        return 0;
    return failure_set(failure, -error,
                       error == -E2BIG ? "the call specs are too long; give fewer (--pool)"
                                       : "cannot write into process %d",
                       session->pid);
}

// Has the recorder create its trace itself.
static int start_by_path(struct session *session, const struct attach_request *request,
                         const struct instance *instance, struct failure *failure)
{
    char *output = NULL;
    if (asprintf(&output, "UNCLOSED_OUTPUT=%s", request->pattern) < 0)
        return failure_set(failure, ENOMEM, "out of memory");
    int error = store_options(session, request, &output, 1, failure);
    if (error == 0)
        error = call_recorder(session, instance->attach, helper_room(&session->helper), failure);
    free(output);
    return error;
}

// Creates the trace as `path`, or if that name is taken as `path`.PID, and so on. Result: a
// descriptor or -errno. name: the path, to be freed, or NULL.
static int create_trace(const char *path, pid_t pid, bool force, char **name)
{
    enum { TRIES = 1000, FLAGS = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC };
    int file = -EEXIST;
    *name = NULL;
    if (force)
        (void)trace_remove_old(path, (uint32_t)pid, 0);
    for (int try = 1; file == -EEXIST && try < TRIES; try++) {
        free(*name);
        const int length = try == 1   ? asprintf(name, "%s", path)
                           : try == 2 ? asprintf(name, "%s.%d", path, pid)
                                      : asprintf(name, "%s.%d.%d", path, pid, try - 1);
        if (length < 0) {
            *name = NULL;
            return -ENOMEM;
        }
        file = open(*name, FLAGS | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
        file = file < 0 ? -errno : file;
    }
    return file;
}

// Creates the trace here and hands it over.
static int start_by_descriptor(struct session *session, const struct attach_request *request,
                               const struct instance *instance, struct failure *failure)
{
    char *more[3] = {NULL, NULL, NULL};
    char *trace = NULL;
    const int file = create_trace(request->trace, session->pid, request->force, &trace);
    if (file < 0) {
        free(trace);
        return failure_set(failure, -file,
                           "cannot create the trace %s: %s; choose another path (-o)",
                           request->trace, strerror(-file));
    }
    // The process can write to it: its words are those of its user, not ours.
    struct stat process;
    char self[32];
    (void)snprintf(self, sizeof self, "/proc/%d", session->pid);
    if (stat(self, &process) == 0 && process.st_uid != geteuid())
        (void)!fchown(file, process.st_uid, (gid_t)-1);
    const int number = transport_descriptor(&session->helper, file, failure);
    int error = number < 0 ? number : 0;
    if (error == 0 && (asprintf(&more[0], "UNCLOSED_OUTPUT=%s", request->pattern) < 0 ||
                       asprintf(&more[1], "UNCLOSED_TRACE_NAME=%s", trace) < 0 ||
                       asprintf(&more[2], "UNCLOSED_TRACE_FD=%d", number) < 0))
        error = failure_set(failure, ENOMEM, "out of memory");
    if (error == 0)
        error = store_options(session, request, more, 3, failure);
    if (error == 0)
        error = call_recorder(session, instance->attach, helper_room(&session->helper), failure);
    for (int i = 0; i < 3; i++)
        free(more[i]);
    close(file);
    if (error != 0)
        unlink(trace);
    free(trace);
    return error;
}

// Whether it may help to create the trace here.
static bool is_about_place(int error)
{
    return error == -EACCES || error == -EPERM || error == -ENOENT || error == -EROFS ||
           error == -ENOTDIR;
}

static int start_recorder(struct session *session, const struct attach_request *request,
                          const struct instance *instance, struct attach_report *report,
                          struct failure *failure)
{
    int error = -EACCES;
    failure->error = 0;
    if (process_same_files(getpid(), session->pid))
        error = start_by_path(session, request, instance, failure);
    if (failure->error == 0 && is_about_place(error)) {
        report->passed = true;
        error = start_by_descriptor(session, request, instance, failure);
    }
    if (error == 0 || failure->error != 0)
        return error;
    return failure_set(failure, -error,
                       error == -EEXIST ? "the trace %s already exists, and so do all other names "
                                          "for it; remove it, or give another name (-o)"
                                        : "the recorder cannot record to %s: %s",
                       request->trace, strerror(-error));
}

// The recording goes on if that fails, too: report->patching says so.
static void write_patches(struct session *session, const struct instance *instance,
                          struct attach_report *report)
{
    struct failure ignored;
    if (instance->patches == 0 || instance->patched == 0)
        return;
    (void)patching_write(&session->target, instance->patches, &report->patching);
    (void)call_recorder(session, instance->patched, 0, &ignored);
}

static int start_in_session(struct session *session, const struct attach_request *request,
                            struct attach_report *report, struct failure *failure)
{
    struct instance instance = {0};
    const pid_t pid = session->pid;
    report->reused = find_instance(&session->target, request->library, &instance);
    if (report->reused && instance.recording)
        return failure_set(failure, EALREADY,
                           "process %d is already being recorded; see `unclosed held %d`, or stop "
                           "it first with `unclosed detach %d`",
                           pid, pid, pid);
    int error = session_help(session, failure);
    if (error == 0 && !report->reused)
        error = load_recorder(session, request->library, &instance, failure);
    if (error == 0)
        error = start_recorder(session, request, &instance, report, failure);
    if (error == 0 && request->patch)
        write_patches(session, &instance, report);
    if (error == 0)
        copy_trace_path(session, &instance, report);
    return error;
}

int attach_start(pid_t pid, const struct attach_request *request, struct attach_report *report,
                 struct failure *failure)
{
    static struct session session;
    *report = (struct attach_report){0};
    int error = session_open(&session, pid, failure);
    if (error == 0)
        error = start_in_session(&session, request, report, failure);
    session_close(&session, report);
    return error;
}

// Calls the function of the recording recorder that lies at `offset` in struct instance.
static int ask_recorder(pid_t pid, size_t offset, struct attach_report *report,
                        struct failure *failure)
{
    static struct session session;
    struct instance instance = {0};
    uint64_t function = 0;
    *report = (struct attach_report){0};
    int error = session_open(&session, pid, failure);
    if (error == 0 && (!find_instance(&session.target, NULL, &instance) || !instance.recording))
        error = failure_set(failure, ENOENT,
                            "process %d is not being recorded; start with `unclosed attach %d`",
                            pid, pid);
    if (error == 0)
        error = session_help(&session, failure);
    // Before the recorder lets go. What cannot be restored leads to a recorder that does nothing.
    if (error == 0 && offset == offsetof(struct instance, detach) && instance.patches != 0)
        (void)patching_restore(&session.target, instance.patches, &report->patching);
    if (error == 0) {
        memcpy(&function, (const char *)&instance + offset, sizeof function);
        error = call_recorder(&session, function, 0, failure);
        if (error != 0 && failure->error == 0)
            failure_set(failure, -error, "the recorder in process %d reports: %s", pid,
                        strerror(-error));
        if (error == 0)
            copy_trace_path(&session, &instance, report);
    }
    session_close(&session, report);
    return error;
}

int attach_stop(pid_t pid, struct attach_report *report, struct failure *failure)
{
    return ask_recorder(pid, offsetof(struct instance, detach), report, failure);
}

int attach_dump(pid_t pid, struct attach_report *report, struct failure *failure)
{
    return ask_recorder(pid, offsetof(struct instance, dump), report, failure);
}
