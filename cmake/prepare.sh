# Sourced by ./run and ./test, in the repository's root: makes a Debian machine and a build directory ready.

# Installs what packages.txt lists and the machine lacks; asks nothing of the network when nothing is missing.
install_packages() {
  local wanted missing
  wanted=$(sed 's/#.*//' packages.txt)
  missing=$(comm -23 <(printf '%s\n' $wanted | sort -u) <(installed_packages | sort -u))
  [ -z "$missing" ] && return
  echo "Installing:" $missing
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
      echo "error: these packages are missing, and neither root nor sudo is at hand to install them:" $missing >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
}

installed_packages() {
  dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' 2> /dev/null | sed -n 's/^installed //p'
}

# Configures the preset unless its build directory is there; the build itself notices edits to the CMake files.
configure() {
  local preset=$1 directory=$2
  if [ ! -e "$directory/build.ninja" ] || [ CMakePresets.json -nt "$directory/build.ninja" ]; then
    cmake --preset "$preset"
  fi
}

# LibTorch's thread count governs OpenBLAS only in its OpenMP build; where another build is the machine's default,
# the OpenMP one goes first.
prefer_openmp_blas() {
  local openmp
  for openmp in /usr/lib/*/openblas-openmp; do
    if [ -d "$openmp" ]; then
      export LD_LIBRARY_PATH="$openmp${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    fi
  done
}
