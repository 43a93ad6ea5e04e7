#define STILLPOINT_KERNEL_SET baseline
#include "optim/qp/dense_kernels.inc"
