#define STILLPOINT_KERNEL_SET avx512
#include "optim/qp/dense_kernels.inc"
