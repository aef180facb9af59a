/* Shows every program that loads it first (LD_PRELOAD) a wall clock that is off by as many seconds as the file in
   FAULTS_CLOCK says; the monotonic clock, by which programs wait, stays as it is. Where FAULTS_CLOCK_OF names a module,
   only `python -m MODULE` sees it: Ray waits until instants of the wall clock, which the kernel moves along when the
   clock is set. A library cannot, and Ray would wait for as long as the clock is off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int concerned(void) {
    static int known = -1;
    const char *module = getenv("FAULTS_CLOCK_OF");
    if (known >= 0) return known;
    if (!module) return known = 1;
    char words[4096] = {0};
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    long length = file < 0 ? 0 : read(file, words, sizeof words - 1);
    if (file >= 0) close(file);
    known = 0;
    for (char *word = words; word < words + length; word += strlen(word) + 1)
        if (!strcmp(word, "-m") && !strcmp(word + 3, module)) known = 1;
    return known;
}

static long offset(void) {
    const char *name = concerned() ? getenv("FAULTS_CLOCK") : 0;
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = {0};
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*right)(clockid_t, struct timespec *);
    if (!right) right = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = right(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    int result = clock_gettime(CLOCK_REALTIME, &found);
    (void)zone;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return result;
}

time_t time(time_t *into) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (into) *into = found.tv_sec;
    return found.tv_sec;
}
