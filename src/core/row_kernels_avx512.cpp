#define STILLPOINT_KERNEL_SET avx512
#include "core/row_kernels.inc"
