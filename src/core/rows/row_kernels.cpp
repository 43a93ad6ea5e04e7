#include "core/rows/row_kernels.h"

namespace stillpoint::detail {

#define STILLPOINT_DECLARE_KERNEL_SET(set)            \
  namespace set {                                     \
  const RowKernels<float>& kernels_float();           \
  const RowKernels<double>& kernels_double();         \
  MixWeights kernels_mix_weights(std::int64_t lanes); \
  }
STILLPOINT_DECLARE_KERNEL_SET(baseline)
#ifdef STILLPOINT_X86_KERNELS
STILLPOINT_DECLARE_KERNEL_SET(avx2)
STILLPOINT_DECLARE_KERNEL_SET(avx512)
#endif
#undef STILLPOINT_DECLARE_KERNEL_SET

namespace {

struct KernelSet {
  const RowKernels<float>& single_precision;
  const RowKernels<double>& double_precision;
  MixWeights (*weights)(std::int64_t lanes);
};

KernelSet choose() {
#ifdef STILLPOINT_X86_KERNELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return {avx512::kernels_float(), avx512::kernels_double(), &avx512::kernels_mix_weights};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {avx2::kernels_float(), avx2::kernels_double(), &avx2::kernels_mix_weights};
  }
#endif
  return {baseline::kernels_float(), baseline::kernels_double(), &baseline::kernels_mix_weights};
}

const KernelSet& kernel_set() {
  static const KernelSet chosen = choose();
  return chosen;
}

}  // namespace

template <>
const RowKernels<float>& row_kernels<float>() {
  return kernel_set().single_precision;
}

template <>
const RowKernels<double>& row_kernels<double>() {
  return kernel_set().double_precision;
}

MixWeights mix_weights(std::int64_t lanes) { return kernel_set().weights(lanes); }

}  // namespace stillpoint::detail
