#include "pid1.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "own.h"

#define PORT_NAME "safe-coder.agent"

enum {
    PORT_DEADLINE_MS = 20000,
    PORT_POLL_MS = 2,
    MOST_MODULES = 256,
    MODULE_IS_COMPRESSED = 4,
    FILES_OF_EXECUTIONS = 65536,
    MOST_MOUNTS = 256,
    DYING_MS = 500,
    NICE_OF_AGENT = -15,
};

static _Noreturn void give_up(const char *what, int code)
{
    say("%s: errno %d (%s)", what, code, strerror(code));
    sync();
    reboot(RB_POWER_OFF);
    _exit(1); /* the kernel panics, which ends the machine too */
}

static void mount_kernel(const char *type, const char *target)
{
    mkdir(target, 0755);
    /* EBUSY: the kernel was built to mount devtmpfs by itself. */
    if (mount(type, target, type, MS_NOSUID, NULL) != 0 && errno != EBUSY)
        give_up(target, errno);
}

/* Without /dev/console in the initramfs the kernel starts us with no descriptors at all. */
static void open_standard(void)
{
    int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        give_up("/dev/null", errno);
    int high_null = fcntl(null, F_DUPFD_CLOEXEC, 3);
    int high_console = console >= 0 ? fcntl(console, F_DUPFD_CLOEXEC, 3) : -1;
    dup2(high_null, 0);
    dup2(high_null, 1);
    dup2(high_console >= 0 ? high_console : high_null, 2);
    close(high_null);
    if (high_console >= 0)
        close(high_console);
    if (console > 2)
        close(console);
    if (null > 2)
        close(null);
}

static int is_module(const struct dirent *e) { return strstr(e->d_name, ".ko") != NULL; }

static void load_module(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/modules/%s", name);
    owned_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = strlen(name);
    int flags = length > 3 && strcmp(name + length - 3, ".ko") == 0 ? 0 : MODULE_IS_COMPRESSED;
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", flags) != 0 && errno != EEXIST))
        give_up(path, errno);
    unlink(path); /* the initramfs is memory, and a saved state keeps what is in it */
}

static void load_modules(void)
{
    struct dirent **names;
    int count = scandir("/modules", &names, is_module, alphasort);
    for (int i = 0; i < count && i < MOST_MODULES; i++)
        load_module(names[i]->d_name);
    if (count > MOST_MODULES)
        give_up("/modules: too many", E2BIG);
}

/* Opens the port whose name the host gave; -1 while it is not there. */
static int try_port(void)
{
    owned_dir dir = opendir("/sys/class/virtio-ports");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[320], name[64] = "";
        snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", e->d_name);
        owned_fd fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, name, sizeof name - 1) <= 0)
            continue;
        name[strcspn(name, "\n")] = '\0';
        if (strcmp(name, PORT_NAME) != 0)
            continue;
        snprintf(path, sizeof path, "/dev/%s", e->d_name);
        return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    }
    return -1;
}

/* The device and its name arrive a moment after its driver. */
static int find_port(void)
{
    for (int waited = 0; waited < PORT_DEADLINE_MS; waited += PORT_POLL_MS) {
        int port = try_port();
        if (port >= 0)
            return port;
        poll(NULL, 0, PORT_POLL_MS);
    }
    give_up("no virtio port named " PORT_NAME, ENODEV);
}

int pid1_start(void)
{
    mount_kernel("proc", "/proc");
    mount_kernel("sysfs", "/sys");
    mount_kernel("devtmpfs", "/dev");
    open_standard();
    struct rlimit files = {FILES_OF_EXECUTIONS, FILES_OF_EXECUTIONS};
    setrlimit(RLIMIT_NOFILE, &files);
    load_modules();
    return find_port();
}

static bool write_oom_score(const char *score)
{
    owned_fd fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, score, strlen(score)) == (ssize_t)strlen(score);
}

void pid1_stand_above(void)
{
    if (setpriority(PRIO_PROCESS, 0, NICE_OF_AGENT) != 0 || !write_oom_score("-1000"))
        say("cannot stand above what is run: %s", strerror(errno));
}

bool pid1_step_down(void) { return setpriority(PRIO_PROCESS, 0, 0) == 0 && write_oom_score("0"); }

static void kill_everybody(void)
{
    kill(-1, SIGKILL);
    for (int waited = 0; waited < DYING_MS; waited++) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid < 0)
            return;
        poll(NULL, 0, 1);
    }
}

/* Newest first; what is busy is made read-only, so that disks are left clean. */
static void unmount_all(void)
{
    static char targets[MOST_MOUNTS][512];
    size_t count = 0;
    FILE *f = setmntent("/proc/self/mounts", "re");
    for (struct mntent *m; f && count < MOST_MOUNTS && (m = getmntent(f));)
        snprintf(targets[count++], sizeof targets[0], "%s", m->mnt_dir);
    if (f)
        endmntent(f);
    while (count-- > 0) {
        if (umount2(targets[count], 0) != 0)
            mount(NULL, targets[count], NULL, MS_REMOUNT | MS_RDONLY, NULL);
    }
}

_Noreturn void pid1_power_off(void)
{
    kill_everybody();
    sync();
    unmount_all();
    reboot(RB_POWER_OFF);
    _exit(0);
}
