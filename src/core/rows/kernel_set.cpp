#include "core/rows/kernel_set.h"

namespace stillpoint::detail {
namespace {

KernelSet widest() {
#ifdef STILLPOINT_X86_KERNELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return KernelSet::Avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return KernelSet::Avx2;
#endif
  return KernelSet::Baseline;
}

}  // namespace

KernelSet kernel_set() {
  static const KernelSet chosen = widest();
  return chosen;
}

}  // namespace stillpoint::detail
