#define STILLPOINT_KERNEL_SET avx512
#include "core/rows/row_kernels.inc"
