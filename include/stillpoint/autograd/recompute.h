#pragma once

#include <ATen/core/Tensor.h>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// f(x), keeping only x and f(x) for the backward pass, which evaluates `f` again (activation checkpointing).
///
/// Exact to any order in x and in everything that f captured; nothing needs to be listed. f must be
/// deterministic and unchanged.
///
/// Cost: the graph of one evaluation lives while f runs here, and again during the backward pass. Nothing of
/// it is kept in between. Errors: a c10::Error in the backward pass, if f captures other leaves, edited ones,
/// or has another value; one under torch::jit tracing and in vmap. (Griewank, Walther 2000; Chen et al.
/// 2016.)
at::Tensor recompute(const Map& f, const at::Tensor& x);

}  // namespace stillpoint
