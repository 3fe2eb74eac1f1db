# SPDX-License-Identifier: Apache-2.0
# What ci/test and ci/nightly share; sourced, at the root of the tree.

# All of them, for the night; of each level and kind one, for every commit.
reference_devices=(admin blk blk,ro=1 blk,zoned=hm entropy experimental
  blk,level=mmio experimental,level=mmio entropy,level=mmio
  blk,level=pci experimental,level=pci entropy,level=pci,msix=0 blk,level=pci,transitional=1)
sanitized_devices=(admin blk,packed=1,suspend=1 blk,zoned=hm experimental,level=mmio blk,level=pci,transitional=1)
# Tests in which a device runs on a thread of its own.
threaded_tests=(vhost_user_connection_test vhost_user_front_end_test shm_test serve_test)

# The first error ends the process; what was found stands on stderr with source lines.
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export ASAN_SYMBOLIZER_PATH="${ASAN_SYMBOLIZER_PATH:-/usr/bin/llvm-symbolizer-19}"
export TSAN_OPTIONS="external_symbolizer_path=$ASAN_SYMBOLIZER_PATH:${TSAN_OPTIONS:-}"

say() {
  printf '\n== %s\n' "$*"
}

# build PRESET [TARGET...]: configures and builds in build/PRESET.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build "build/$preset" ${1:+--target "$@"}
}

# run_tests PRESET [ctest's options...]
run_tests() {
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@"
}
