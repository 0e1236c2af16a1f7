#include "confine.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the numbers below are those of x86-64"
#endif

/* What linux/filter.h, seccomp.h, audit.h and capability.h say; a C library without the kernel's headers lacks them. */
struct filter_step {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};
struct filter_program {
    unsigned short length;
    struct filter_step *steps;
};
struct call {
    int number;
    uint32_t architecture;
    uint64_t instruction;
    uint64_t arguments[6];
};
struct capability_header {
    uint32_t version;
    int pid;
};
struct capability_sets {
    uint32_t effective, permitted, inheritable;
};
enum { LOAD_WORD = 0x20, JUMP_IF_EQUAL = 0x15, JUMP_IF_BITS = 0x45, RETURN_VALUE = 0x06 };
enum { FILTER_MODE = 2, CAPABILITY_VERSION = 0x20080522 };
#define ARCHITECTURE 0xc000003eU
#define ALLOW 0x7fff0000U
#define FAIL_WITH 0x00050000U

enum { LAST_CAPABILITY = 63, X32_BIT = 0x40000000, TIOCLINUX_CODE = 0x541c, NAMESPACE_FLAGS = 0x7e020080 };

/* Numbers that older headers lack. */
enum {
    NR_CLONE3 = 435,
    NR_OPEN_TREE = 428,
    NR_MOVE_MOUNT = 429,
    NR_FSOPEN = 430,
    NR_FSCONFIG = 431,
    NR_FSMOUNT = 432,
    NR_FSPICK = 433,
    NR_IO_URING_SETUP = 425,
    NR_IO_URING_ENTER = 426,
    NR_IO_URING_REGISTER = 427,
    NR_MOUNT_SETATTR = 442,
};

/* Not for a container: what makes namespaces and mounts, and corners of the kernel that few need and many broke. */
static const int refused[] = {
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_setns,
    SYS_unshare,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_acct,
    SYS_quotactl,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_iopl,
    SYS_ioperm,
    SYS_syslog,
    SYS_vhangup,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_open_by_handle_at,
    SYS_lookup_dcookie,
    NR_OPEN_TREE,
    NR_MOVE_MOUNT,
    NR_FSOPEN,
    NR_FSCONFIG,
    NR_FSMOUNT,
    NR_FSPICK,
    NR_MOUNT_SETATTR,
    NR_IO_URING_SETUP,
    NR_IO_URING_ENTER,
    NR_IO_URING_REGISTER,
};

enum { REFUSED = sizeof refused / sizeof refused[0], MOST_STEPS = 4 * REFUSED + 64 };

static struct filter_step steps[MOST_STEPS];
static unsigned short used;

static void add(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    steps[used++] = (struct filter_step){.code = code, .if_true = if_true, .if_false = if_false, .value = value};
}

static void load(size_t offset) { add(LOAD_WORD, (uint32_t)offset, 0, 0); }

static void answer(uint32_t action) { add(RETURN_VALUE, action, 0, 0); }

/* The next `count` steps run only when the loaded value is this one. */
static void when(uint32_t value, uint8_t count) { add(JUMP_IF_EQUAL, value, 0, count); }

static void when_has_bits(uint32_t bits, uint8_t count) { add(JUMP_IF_BITS, bits, 0, count); }

static uint32_t failing(int code) { return FAIL_WITH | (uint32_t)code; }

static void load_number(void) { load(offsetof(struct call, number)); }

/* The lower half of an argument; the values that are compared have no upper one. */
static void load_argument(size_t index) { load(offsetof(struct call, arguments) + index * sizeof(uint64_t)); }

static void build_filter(void)
{
    static const uint32_t terminal_codes[] = {TIOCSTI, TIOCLINUX_CODE};
    static const uint32_t families[] = {AF_VSOCK, AF_ALG, AF_PACKET, AF_KEY};
    used = 0;
    load(offsetof(struct call, architecture));
    add(JUMP_IF_EQUAL, ARCHITECTURE, 1, 0);
    answer(failing(ENOSYS));
    load_number();
    when_has_bits(X32_BIT, 1);
    answer(failing(ENOSYS));
    for (size_t i = 0; i < REFUSED; i++) {
        when((uint32_t)refused[i], 1);
        answer(failing(EPERM));
    }
    /* Its flags lie in memory, where a filter can't look; without it, programs fall back to clone. */
    when(NR_CLONE3, 1);
    answer(failing(ENOSYS));
    when(SYS_clone, 4);
    load_argument(0);
    when_has_bits(NAMESPACE_FLAGS, 1);
    answer(failing(EPERM));
    load_number();
    when(SYS_ioctl, 6);
    load_argument(1);
    for (size_t i = 0; i < 2; i++) {
        when(terminal_codes[i], 1);
        answer(failing(EPERM));
    }
    load_number();
    when(SYS_socket, 9);
    load_argument(0);
    for (size_t i = 0; i < 4; i++) {
        when(families[i], 1);
        answer(failing(EAFNOSUPPORT));
    }
    answer(ALLOW);
}

static int keep_capabilities(uint64_t keep)
{
    struct capability_header header = {.version = CAPABILITY_VERSION};
    struct capability_sets data[2];
    for (unsigned long c = 0; c <= LAST_CAPABILITY; c++) {
        if (keep & (1ULL << c))
            continue;
        /* EINVAL: beyond what this kernel knows. EPERM: an ordinary user, who has none to drop. */
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0 && errno != EINVAL && (errno != EPERM || geteuid() == 0))
            return errno;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &header, data) != 0)
        return errno;
    for (int half = 0; half < 2; half++) {
        uint32_t kept = (uint32_t)(keep >> (32 * half));
        data[half].permitted &= kept;
        data[half].effective &= kept;
        data[half].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

int confine(uint64_t keep)
{
    build_filter();
    struct filter_program program = {.length = used, .steps = steps};
    int code = keep_capabilities(keep);
    if (code != 0)
        return code;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, FILTER_MODE, &program) != 0)
        return errno;
    return 0;
}
