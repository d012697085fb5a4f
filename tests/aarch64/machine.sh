#!/bin/sh
# The first program of the machine that scripts/emulate-aarch64 starts: attaches to what is in /t,
# and says what happened. Run by busybox.
mkdir -p /proc /sys /dev /tmp
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /tmp/loop
mount -t devpts none /dev/pts
mount -t tmpfs none /tmp
mkdir -p /tmp/loop
cd /tmp || exit 1
passed=0
failed=0

judge() { # status, what
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $2"
    else
        failed=$((failed + 1))
        echo "FAIL $2"
    fi
}

# 10 times attached and detached: the victim checks that nothing was disturbed.
for mode in malloc dlopen registers fork vfork spawn signals sleep idle compute; do
    for threads in 1 4; do
        /t/victim $mode $threads 600 >victim.out &
        victim=$!
        sleep 1
        /t/injector loop $victim /t/libagent.so /tmp/loop 10 >loop.out 2>&1
        looped=$?
        kill -TERM $victim
        wait $victim
        lost=$?
        # Not found in a few seconds of emulation, and nothing done: no harm.
        grep -q 'reached no safe point' loop.out && looped=0
        judge $((looped + lost)) "$mode, $threads threads: $(cat loop.out victim.out | tr '\n' ' ')"
    done
done

# A wait that must not end.
for call in $(/t/blocked --list); do
    rm -f trace
    /t/blocked "$call" >blocked.out 2>&1 &
    victim=$!
    sleep 0.5
    /t/injector attach $victim /t/libagent.so /tmp/trace >attach.out 2>&1 &&
        /t/injector detach $victim >>attach.out 2>&1
    attached=$?
    sleep 0.2
    grep -q returned blocked.out && attached=1
    kill -KILL $victim
    wait $victim
    judge $attached "waiting in $call: $(cat attach.out blocked.out | tr '\n' ' ')"
done

# The recorder itself: 3 threads that open and close databases.
/t/python3 /t/app.py >app.out &
victim=$!
until grep -q ready app.out; do sleep 1; done
/t/cli/unclosed attach $victim -o /tmp/app.trace
judge $? "attach to python3"
sleep 5
/t/cli/unclosed held $victim
/t/cli/unclosed detach $victim
judge $? "detach"
kill $victim
judge $? "python3 lives"
/t/cli/unclosed report /tmp/app.trace >text
cat text
grep -q "app.py:.* leak .*never closed" text
judge $? "the leak has its line"
echo "$passed passed, $failed failed"
poweroff -f
