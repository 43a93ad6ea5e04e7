#pragma once

#include <cstdint>

namespace stillpoint::detail {

/// The instruction sets that kernels are compiled for, each into the namespace of its name.
enum class KernelSet : std::uint8_t { Baseline, Avx2, Avx512 };

/// The widest that this processor has.
KernelSet kernel_set();

}  // namespace stillpoint::detail
