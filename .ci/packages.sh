# Sourced by ./demo and ./check: finds what this machine lacks and installs it with apt.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# A question answered by nobody is a script that hangs: asked at a terminal alone.
is_interactive() { [ -t 0 ] && [ -t 2 ]; }

die() {
  say ""
  say "$*"
  exit 1
}

may_be_root() {
  [ "$(id -u)" -eq 0 ] ||
    { command -v sudo >/dev/null && { is_interactive || sudo -n true 2>/dev/null; }; }
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# agree WHY PACKAGE...: says what is missing and why; at a terminal, asks. Ends the script if it
# may not or can't be installed.
agree() {
  local why=$1 answer
  shift
  say "Missing: $* ($why)."
  command -v apt-get >/dev/null ||
    die "Here is no apt-get to install it with: install it as your system does, then run this again."
  may_be_root ||
    die "That needs root. Run this as root or as a user with sudo, or first: apt-get install $*"
  if is_interactive; then
    read -r -p "Install with apt-get? [y/N] " answer
    case $answer in
      y | Y | yes) ;;
      *) die "Nothing was installed. To do it by hand: apt-get install $*" ;;
    esac
  fi
}

apt_install() {
  if [ -z "${packages_updated:-}" ]; then
    as_root apt-get update -q >&2 || say "apt-get update failed: trying with the lists that are here."
    packages_updated=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@" </dev/null >&2 ||
    die "apt-get could not install: $*"
}

install_packages() {
  agree "$@"
  shift
  apt_install "$@"
}

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# Prints the folder of a PostgreSQL server of version 15 or newer, as the program itself looks.
find_postgres() {
  local dir version
  local -a path
  IFS=: read -r -a path <<<"$PATH"
  for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin "${path[@]}"; do
    if [ ! -x "$dir/initdb" ] || [ ! -x "$dir/postgres" ]; then
      continue
    fi
    version=$("$dir/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*$/\1/')
    if [ "${version:-0}" -ge 15 ] 2>/dev/null; then
      printf '%s\n' "$dir"
      return 0
    fi
  done
  return 1
}

# The server's programs without a server: Debian's package makes and starts a cluster on port 5432
# unless told otherwise beforehand. Where somebody else installed postgresql-common, the setting is
# theirs, and ours stays no longer than our installation takes.
ensure_postgres() {
  if find_postgres >/dev/null; then
    return 0
  fi
  local settings=/etc/postgresql-common/createcluster.d
  local ours=$settings/lanyard.conf theirs=no
  agree "the PostgreSQL server's programs, for a private database; no server is started" \
    postgresql
  if is_installed postgresql-common; then
    theirs=yes
  fi
  as_root mkdir -p "$settings"
  printf '%s\n' \
    "# Lanyard runs a private cluster and wanted only the server's programs." \
    "# Remove this file to have new server packages make a cluster again." \
    "create_main_cluster = false" | as_root tee "$ours" >/dev/null
  apt_install postgresql
  if [ $theirs = yes ]; then
    as_root rm -f "$ours"
  fi
  find_postgres >/dev/null ||
    die "The packages hold no PostgreSQL 15 or newer. Install one, or set DATABASE_URL to a server."
}

ensure_setpriv() {
  command -v setpriv >/dev/null ||
    install_packages "setpriv, which ties PostgreSQL to its parent" util-linux
}

ensure_rust() {
  local oldest=94 minor
  if ! command -v cargo >/dev/null && [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then
    PATH="${HOME:-/root}/.cargo/bin:$PATH"
  fi
  command -v cargo >/dev/null || die \
    "Rust is missing. Install it with rustup: as the Rust project's home page shows, or on" \
    "Debian 13 and Ubuntu 24.04 with: apt-get install rustup && rustup default stable"
  minor=$(cargo --version | sed -E 's/^cargo 1\.([0-9]+).*$/\1/')
  [ "$minor" -ge $oldest ] 2>/dev/null ||
    die "$(cargo --version) is too old: Rust 1.$oldest or newer is needed. Try: rustup update stable"
  command -v cc >/dev/null ||
    install_packages "a C compiler and linker, for cargo" gcc libc6-dev
}
