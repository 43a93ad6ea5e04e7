#define STILLPOINT_KERNEL_SET baseline
#include "core/row_kernels.inc"
