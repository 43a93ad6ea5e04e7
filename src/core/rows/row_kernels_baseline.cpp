#define STILLPOINT_KERNEL_SET baseline
#include "core/rows/row_kernels.inc"
