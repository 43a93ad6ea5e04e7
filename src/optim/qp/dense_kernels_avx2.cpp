#define STILLPOINT_KERNEL_SET avx2
#include "optim/qp/dense_kernels.inc"
