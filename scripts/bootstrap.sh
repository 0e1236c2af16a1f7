#!/bin/sh
# Brings a fresh clone to the point where Safe Coder runs: npm packages, system packages (after saying which and
# why), the guest agent, the compiled program. Does nothing that is already done. Needs Node 20 or newer and npm.
#
# usage: scripts/bootstrap.sh run|test
#   run   what running Safe Coder needs
#   test  that, and what the tests need
#
# Everything it says goes to standard error: standard output belongs to the command that follows.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

say() { printf '%s\n' "$*" >&2; }
fail() { say "safe-coder: $1"; [ $# -lt 2 ] || say "  $2"; exit 4; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# --- system packages: program, Debian package, why ---------------------------------------------------------------
programs_for_run='
git|git|reads the ledger
make|make|builds the guest agent
musl-gcc|musl-tools|builds the guest agent as one small static program
gcc|gcc|builds the guest agent
qemu-system-x86_64|qemu-system-x86|runs the microVM
bwrap|bubblewrap|jails the microVM: no network, nothing of your files
mkfs.ext4|e2fsprogs|formats the disk that the guest may write
dpkg-deb|dpkg|unpacks the guest kernel
xz|xz-utils|unpacks kernel modules
'
programs_for_test='
fsck.erofs|erofs-utils|judges the project images in tests
clang|clang|fuzzes the guest agent
tmux|tmux|drives the terminal in tests
unshare|util-linux|makes private mounts in tests
cpio|cpio|judges the first archive of the guest in tests
pgrep|procps|finds processes in tests
ssh-keygen|openssh-client|signs ledgers in tests
setpriv|util-linux|runs tests as an ordinary user
openssl|openssl|makes certificates for tests
dockerd|docker.io|is the engine of the container tests; each test starts its own
'

missing_packages() {
  printf '%s' "$1" | while IFS='|' read -r program package why; do
    [ -n "$program" ] || continue
    has "$program" || printf '%s|%s|%s\n' "$program" "$package" "$why"
  done
  if [ "$purpose" = test ] && has clang && ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
    printf 'libFuzzer|%s|fuzzes the guest agent\n' "libclang-rt-14-dev"
  fi
}

install_system_packages() {
  programs=$programs_for_run
  [ "$purpose" = test ] && programs="$programs$programs_for_test"
  missing=$(missing_packages "$programs")
  [ -n "$missing" ] || return 0
  say "Safe Coder needs these system packages:"
  printf '%s\n' "$missing" | while IFS='|' read -r program package why; do say "  $package ($program): $why"; done
  packages=$(printf '%s\n' "$missing" | cut -d'|' -f2 | sort -u | tr '\n' ' ')
  # The compiler's run-time library for the fuzzer comes beside clang.
  case " $packages " in *" clang "*) packages="$packages libclang-rt-14-dev " ;; esac
  has apt-get || fail "this system has no apt-get." "Install the packages above with your package manager and start again."
  command="apt-get install -y --no-install-recommends $packages"
  if [ "$(id -u)" = 0 ]; then
    sudo=
    if [ -t 0 ] && [ -t 2 ]; then ask "Install them now with: $command"; fi
  else
    has sudo || fail "they can only be installed by root." "Run as root: $command"
    { [ -t 0 ] && [ -t 2 ]; } || fail "they can only be installed by root." "Run: sudo $command"
    sudo=sudo
    ask "Install them now with: sudo $command"
  fi
  say "Installing ..."
  log=$(mktemp)
  if ! { DEBIAN_FRONTEND=noninteractive $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo $command; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "the packages could not be installed." "Try yourself: $command"
  fi
  rm -f "$log"
  still=$(missing_packages "$programs")
  [ -z "$still" ] || fail "still missing after the installation: $(printf '%s\n' "$still" | cut -d'|' -f1 | tr '\n' ' ')"
}

ask() {
  printf '%s\nContinue? [Y/n] ' "$1" >&2
  read -r answer || answer=n
  case $answer in '' | y | Y | yes) ;; *) fail "nothing was installed." ;; esac
}

# --- npm packages ------------------------------------------------------------------------------------------------
install_npm_packages() {
  stamp=node_modules/.safe-coder-lock
  if [ -f "$stamp" ] && cmp -s "$stamp" package-lock.json; then return 0; fi
  has npm || fail "npm was not found." "Install Node.js 20 or newer with npm (Debian 12: apt-get install nodejs npm)."
  say "Installing npm packages ..."
  log=$(mktemp)
  if ! npm ci --no-audit --no-fund </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    fail "npm ci failed." "See the lines above; then start again."
  fi
  rm -f "$log"
  cp package-lock.json "$stamp"
}

# --- guest agent and program -------------------------------------------------------------------------------------
build() {
  make -s -C guest >&2 || fail "the guest agent could not be built."
  if [ ! -f dist/.stamp ] || [ -n "$(find src tsconfig.json tsconfig.build.json package-lock.json -newer dist/.stamp -print -quit)" ]; then
    say "Building ..."
    # Modules whose source is gone must not stay.
    rm -rf dist
    PATH="$PWD/node_modules/.bin:$PATH" node node_modules/typescript/bin/tsc -p tsconfig.build.json >&2 ||
      fail "the program could not be compiled."
    touch dist/.stamp
  fi
}

# Two first starts at once would install over each other: one waits for the other.
if has flock; then
  exec 9>.bootstrap.lock
  flock 9
fi
install_npm_packages
install_system_packages
build
