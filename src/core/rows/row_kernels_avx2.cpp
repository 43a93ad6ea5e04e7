#define STILLPOINT_KERNEL_SET avx2
#include "core/rows/row_kernels.inc"
