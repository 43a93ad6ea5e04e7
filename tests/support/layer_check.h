#pragma once

#include <functional>
#include <vector>

#include "support/device.h"
#include "support/variants.h"

namespace stillpoint::test {

/// A layer under test: a function of its inputs with a fixed point inside, which it leaves to `solve`. What
/// comes back is `[B, …]`, one sample a row.
using Layer = std::function<Tensor(const Solve& solve, const std::vector<Tensor>& inputs)>;

struct Input {
  Tensor value;     ///< double
  bool per_sample;  ///< `[B, …]`, one row a sample; else all samples share it
};
inline Input shared(Tensor value) { return {std::move(value), false}; }
inline Input per_sample(Tensor value) { return {std::move(value), true}; }

struct LayerCheck {
  std::vector<Variant> variants = exact_variants();
  int orders = 2;             ///< of the derivatives compared with unrolling, 1 to 3
  int reference_steps = 120;  ///< of the unrolled loop: enough that its derivatives have converged to 1e-12
  double tolerance = 1e-10;   ///< in double, relative to the largest number expected, but at least to 1
  bool in_float = true;
};

/// The one call that checks a layer. For each variant, in all inputs:
///   - values and derivatives up to `orders` equal those of a plain unrolled loop, in double and in float;
///   - first and second derivatives, of the first variant and so of all, equal finite differences of the
///   layer;
///   - inputs that are not contiguous give the same;
///   - samples alone give the rows of the batch, and inputs' gradients too;
///   - inputs of a wrong shape throw if and only if they throw from the loop.
void check_layer(const Layer& layer, const std::vector<Input>& inputs, const LayerCheck& check = {});

/// `derivatives[k][i]`: the k-th derivative (0: the value, alone) of a number made of the layer's output, in
/// input i; from the second on, of a number made of all derivatives before. Zeros where there is no
/// dependence.
std::vector<std::vector<Tensor>> derivatives(
    const std::function<Tensor(const std::vector<Tensor>&)>& function, const std::vector<Tensor>& inputs,
    int orders);

}  // namespace stillpoint::test
