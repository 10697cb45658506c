# shellcheck shell=sh
# Sourced by the scripts beside it.
#
# need_packages NAME...   makes sure that these Debian packages are installed. Says nothing when they are.

# Runs a command as root, or fails if that is not possible without asking.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

# Prints those of the named packages that are not installed.
missing_packages() {
  for package in "$@"; do
    case "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" in
      *' installed') ;;
      *) printf '%s ' "$package" ;;
    esac
  done
}

install_packages() {
  as_root apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# Elsewhere than on Debian and its kin only the tools can be looked for.
need_tools() {
  compiler=${CXX:-$(command -v c++ || command -v g++ || command -v clang++ || true)}
  if ! command -v cmake >/dev/null || ! command -v ninja >/dev/null; then
    echo "CMake (3.25 or later) and Ninja are needed: install both with your system's packages." >&2
    exit 1
  elif [ -z "$compiler" ] || ! echo 'int main() {}' | "$compiler" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
    echo "A compiler for C++20 is needed: install GCC 12 or Clang 19, or later ones." >&2
    exit 1
  fi
}

need_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    need_tools
    return 0
  fi
  missing=$(missing_packages "$@")
  missing=${missing% }
  if [ -z "$missing" ]; then
    return 0
  fi
  if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
    echo "Installing $missing"
    # shellcheck disable=SC2086  # a list of words
    if install_packages $missing; then
      return 0
    fi
  fi
  echo "These packages are needed:" >&2
  echo "  sudo apt-get update && sudo apt-get install $missing" >&2
  exit 1
}
