// A program that waits in one system call for ever, to see that attaching does not end the wait.
//
//   blocked NAME      "ready", then the call; "returned RESULT ERRNO" if it ever comes back
//   blocked --list    the names
//
// Everything happens on the only thread, so that it is this one that is borrowed.
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec hour = {3600, 0};
static char buffer[1 << 20];

static int pair(int type)
{
    static int ends[2];
    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        abort();
    return ends[0];
}

static int pipe_end(int which)
{
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    return ends[which];
}

static int timed_pair(int option)
{
    const struct timeval time = {3600, 0};
    const int end = pair(SOCK_STREAM);
    setsockopt(end, SOL_SOCKET, option, &time, sizeof time);
    return end;
}

static int listener(int backlog, struct sockaddr_un *address)
{
    const int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "blocked-%d", getpid());
    if (bind(socket_, (struct sockaddr *)address, sizeof *address) != 0 ||
        listen(socket_, backlog) != 0)
        abort();
    return socket_;
}

static int accept_plain(void)
{
    struct sockaddr_un address;
    return accept(listener(1, &address), NULL, NULL);
}

static int accept_timed(void)
{
    struct sockaddr_un address;
    const struct timeval time = {3600, 0};
    const int socket_ = listener(1, &address);
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    return accept4(socket_, NULL, NULL, SOCK_CLOEXEC);
}

static int connect_full(void)
{
    struct sockaddr_un address;
    listener(0, &address);
    for (;;) {
        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) !=
            0)
            return -1;
    }
}

static int poll_(void)
{
    struct pollfd end = {.fd = pipe_end(0), .events = POLLIN};
    return poll(&end, 1, 3600000);
}

static int poll_endless(void)
{
    struct pollfd end = {.fd = pipe_end(0), .events = POLLIN};
    return poll(&end, 1, -1);
}

static int ppoll_(void)
{
    struct pollfd end = {.fd = pipe_end(0), .events = POLLIN};
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&end, 1, &hour, &none);
}

static int select_(void)
{
    struct timeval time = {3600, 0};
    fd_set set;
    const int end = pipe_end(0);
    FD_ZERO(&set);
    FD_SET(end, &set);
    return select(end + 1, &set, NULL, NULL, &time);
}

static int pselect_(void)
{
    fd_set set;
    sigset_t none;
    const int end = pipe_end(0);
    sigemptyset(&none);
    FD_ZERO(&set);
    FD_SET(end, &set);
    return pselect(end + 1, &set, NULL, NULL, &hour, &none);
}

static int epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    const int set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, pipe_end(0), &event);
    return set;
}

static int epoll_wait_(void)
{
    struct epoll_event event;
    return epoll_wait(epoll(), &event, 1, -1);
}

static int epoll_pwait_(void)
{
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll(), &event, 1, 3600000, &none);
}

static int epoll_pwait2_(void)
{
    struct epoll_event event;
    return epoll_pwait2(epoll(), &event, 1, &hour, NULL);
}

static int nanosleep_(void)
{
    return nanosleep(&hour, NULL);
}

static int clock_nanosleep_(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 3600;
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int clock_nanosleep_relative(void)
{
    return clock_nanosleep(CLOCK_REALTIME, 0, &hour, NULL);
}

static int futex_(void)
{
    static uint32_t word;
    return (int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static int futex_timed(void)
{
    static uint32_t word;
    return (int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, &hour, NULL, 0);
}

static int semaphore(void)
{
    static sem_t sem;
    sem_init(&sem, 1, 0);
    return sem_wait(&sem);
}

static int mutex(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    return pthread_mutex_lock(&lock);
}

static int condition(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&lock);
    return pthread_cond_wait(&changed, &lock);
}

static int read_pipe(void)
{
    return (int)read(pipe_end(0), buffer, 1);
}

static int readv_pipe(void)
{
    struct iovec part = {buffer, 1};
    return (int)readv(pipe_end(0), &part, 1);
}

static int read_eventfd(void)
{
    return (int)read(eventfd(0, 0), buffer, 8);
}

static int read_timerfd(void)
{
    const struct itimerspec time = {.it_value = {3600, 0}};
    const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &time, NULL);
    return (int)read(timer, buffer, 8);
}

static int read_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return (int)read(signalfd(-1, &set, 0), buffer, 128);
}

static int read_inotify(void)
{
    const int watch = inotify_init1(0);
    inotify_add_watch(watch, "/dev/null", IN_DELETE_SELF);
    return (int)read(watch, buffer, 256);
}

static int read_terminal(void)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    return (int)read(master, buffer, 1);
}

static int write_pipe(void)
{
    const int end = pipe_end(1);
    for (;;) {
        if (write(end, buffer, 4096) != 4096)
            return -1;
    }
}

static int recv_(void)
{
    return (int)recv(pair(SOCK_STREAM), buffer, 1, 0);
}

static int recv_timed(void)
{
    return (int)recv(timed_pair(SO_RCVTIMEO), buffer, 1, 0);
}

static int read_timed(void)
{
    return (int)read(timed_pair(SO_RCVTIMEO), buffer, 1);
}

static int recvmsg_(void)
{
    struct iovec part = {buffer, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return (int)recvmsg(pair(SOCK_DGRAM), &message, 0);
}

static int recvmsg_timed(void)
{
    struct iovec part = {buffer, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return (int)recvmsg(timed_pair(SO_RCVTIMEO), &message, 0);
}

static int recvmmsg_(void)
{
    struct iovec part = {buffer, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return recvmmsg(pair(SOCK_DGRAM), &message, 1, 0, NULL);
}

static int send_full(void)
{
    const int end = pair(SOCK_DGRAM);
    for (;;) {
        if (send(end, buffer, 1000, 0) != 1000)
            return -1;
    }
}

static int send_timed(void)
{
    const int end = timed_pair(SO_SNDTIMEO);
    for (;;) {
        const ssize_t sent = send(end, buffer, 1000, 0);
        if (sent != 1000)
            return (int)sent;
    }
}

static int semop_(void)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    const int set = semget(IPC_PRIVATE, 1, 0600);
    const int result = semop(set, &take, 1);
    semctl(set, 0, IPC_RMID);
    return result;
}

static int semtimedop_(void)
{
    struct sembuf take = {.sem_num = 0, .sem_op = -1};
    return semtimedop(semget(IPC_PRIVATE, 1, 0600), &take, 1, &hour);
}

static int msgrcv_(void)
{
    return (int)msgrcv(msgget(IPC_PRIVATE, 0600), buffer, 8, 0, 0);
}

static int msgsnd_(void)
{
    const int queue = msgget(IPC_PRIVATE, 0600);
    *(long *)(void *)buffer = 1;
    for (;;) {
        if (msgsnd(queue, buffer, 1000, 0) != 0)
            return -1;
    }
}

static int mq(void)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(name, sizeof name, "/blocked-%d", getpid());
    const mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    mq_unlink(name);
    return (int)mq_receive(queue, buffer, 8, NULL);
}

static void blocked_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigprocmask(SIG_BLOCK, set, NULL);
}

static int sigwaitinfo_(void)
{
    sigset_t set;
    blocked_set(&set);
    return sigwaitinfo(&set, NULL);
}

static int sigtimedwait_(void)
{
    sigset_t set;
    blocked_set(&set);
    return sigtimedwait(&set, NULL, &hour);
}

static int sigsuspend_(void)
{
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}

static int pause_(void)
{
    return pause();
}

static pid_t sleeping_child(void)
{
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        while (getppid() == parent)
            usleep(50000);
        _exit(0);
    }
    return child;
}

static int wait4_(void)
{
    return waitpid(sleeping_child(), NULL, 0);
}

static int waitid_(void)
{
    siginfo_t information;
    return waitid(P_PID, (id_t)sleeping_child(), &information, WEXITED);
}

// A file that a child has locked.
static int locked_file(void)
{
    char name[] = "/tmp/blocked-XXXXXX";
    const int file = mkstemp(name);
    const int again = open(name, O_RDWR);
    const int ready = pipe_end(0);
    int ends[2];
    (void)ready;
    if (pipe(ends) != 0)
        abort();
    unlink(name);
    const pid_t parent = getpid();
    if (fork() == 0) {
        struct flock lock = {.l_type = F_WRLCK};
        flock(again, LOCK_EX);
        fcntl(again, F_SETLK, &lock);
        if (write(ends[1], "", 1) != 1)
            _exit(1);
        while (getppid() == parent)
            usleep(50000);
        _exit(0);
    }
    if (read(ends[0], buffer, 1) != 1)
        abort();
    return file;
}

static int flock_(void)
{
    return flock(locked_file(), LOCK_EX);
}

static int fcntl_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK};
    return fcntl(locked_file(), F_SETLKW, &lock);
}

static int open_fifo(void)
{
    char name[64];
    snprintf(name, sizeof name, "/tmp/blocked-fifo-%d", getpid());
    mkfifo(name, 0600);
    return open(name, O_RDONLY);
}

static int io_getevents_(void)
{
    aio_context_t context = 0;
    struct io_event event;
    syscall(SYS_io_setup, 1, &context);
    return (int)syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
}

static int io_uring(void)
{
    struct io_uring_params parameters = {0};
    const int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0)
        return pause(); // switched off on this machine: nothing to see here
    return (int)syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
}

static const struct call {
    const char *name;
    int (*wait)(void);
} calls[] = {
    {"accept", accept_plain},
    {"accept4-timed", accept_timed},
    {"clock_nanosleep", clock_nanosleep_},
    {"clock_nanosleep-relative", clock_nanosleep_relative},
    {"condition", condition},
    {"connect", connect_full},
    {"epoll_pwait", epoll_pwait_},
    {"epoll_pwait2", epoll_pwait2_},
    {"epoll_wait", epoll_wait_},
    {"fcntl-lock", fcntl_lock},
    {"flock", flock_},
    {"futex", futex_},
    {"futex-timed", futex_timed},
    {"io_getevents", io_getevents_},
    {"io_uring", io_uring},
    {"mq_receive", mq},
    {"msgrcv", msgrcv_},
    {"msgsnd", msgsnd_},
    {"mutex", mutex},
    {"nanosleep", nanosleep_},
    {"open-fifo", open_fifo},
    {"pause", pause_},
    {"poll", poll_},
    {"poll-endless", poll_endless},
    {"ppoll", ppoll_},
    {"pselect", pselect_},
    {"read-eventfd", read_eventfd},
    {"read-inotify", read_inotify},
    {"read-pipe", read_pipe},
    {"read-signalfd", read_signalfd},
    {"read-terminal", read_terminal},
    {"read-timed", read_timed},
    {"read-timerfd", read_timerfd},
    {"readv-pipe", readv_pipe},
    {"recv", recv_},
    {"recv-timed", recv_timed},
    {"recvmmsg", recvmmsg_},
    {"recvmsg", recvmsg_},
    {"recvmsg-timed", recvmsg_timed},
    {"select", select_},
    {"semaphore", semaphore},
    {"semop", semop_},
    {"semtimedop", semtimedop_},
    {"send", send_full},
    {"send-timed", send_timed},
    {"sigsuspend", sigsuspend_},
    {"sigtimedwait", sigtimedwait_},
    {"sigwaitinfo", sigwaitinfo_},
    {"wait4", wait4_},
    {"waitid", waitid_},
    {"write-pipe", write_pipe},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && argc == 2; i++) {
        if (strcmp(argv[1], "--list") == 0)
            puts(calls[i].name);
        if (strcmp(argv[1], calls[i].name) != 0)
            continue;
        puts("ready");
        fflush(stdout);
        errno = 0;
        const int result = calls[i].wait();
        printf("returned %d %s\n", result, strerror(errno));
        return 1;
    }
    return 0;
}
