#define STILLPOINT_KERNEL_SET avx2
#include "core/row_kernels.inc"
