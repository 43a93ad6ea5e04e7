#pragma once

// What authors of solvers, gradient rules and linear solvers need beside stillpoint.h. See docs/extending.md.

#include "stillpoint/autograd/implicit.h"
#include "stillpoint/autograd/recompute.h"
#include "stillpoint/autograd/tape.h"
#include "stillpoint/autograd/unroll.h"
#include "stillpoint/core/condition.h"
#include "stillpoint/core/erased.h"
#include "stillpoint/core/linear_solver.h"
#include "stillpoint/core/mask.h"
#include "stillpoint/core/monitor.h"
#include "stillpoint/core/operator.h"
#include "stillpoint/core/packing.h"
#include "stillpoint/core/slopes.h"
#include "stillpoint/equations/checked_map.h"
#include "stillpoint/equations/gradient.h"
#include "stillpoint/equations/linearization.h"
#include "stillpoint/equations/solver.h"
