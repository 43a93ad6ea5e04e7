#include "core/rows/row_kernels.h"

#include "core/rows/kernel_set.h"

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

struct Chosen {
  const RowKernels<float>& single_precision;
  const RowKernels<double>& double_precision;
  MixWeights (*weights)(std::int64_t lanes);
};

Chosen choose() {
#ifdef STILLPOINT_X86_KERNELS
  switch (kernel_set()) {
    case KernelSet::Avx512:
      return {avx512::kernels_float(), avx512::kernels_double(), &avx512::kernels_mix_weights};
    case KernelSet::Avx2:
      return {avx2::kernels_float(), avx2::kernels_double(), &avx2::kernels_mix_weights};
    case KernelSet::Baseline:
      break;
  }
#endif
  return {baseline::kernels_float(), baseline::kernels_double(), &baseline::kernels_mix_weights};
}

const Chosen& chosen_kernels() {
  static const Chosen chosen = choose();
  return chosen;
}

}  // namespace

template <>
const RowKernels<float>& row_kernels<float>() {
  return chosen_kernels().single_precision;
}

template <>
const RowKernels<double>& row_kernels<double>() {
  return chosen_kernels().double_precision;
}

MixWeights mix_weights(std::int64_t lanes) { return chosen_kernels().weights(lanes); }

}  // namespace stillpoint::detail
