#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <iosfwd>

namespace stillpoint::nn {

/// Dropout whose mask stays the same until it is reset: in every iteration of a solve, and in its backward
/// pass. A fixed point exists for one mask, not for one that is drawn anew at each evaluation. (Gal,
/// Ghahramani 2016, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks.)
///
/// In training mode each number is zero with probability p, and is otherwise scaled by 1 / (1 − p), which
/// keeps its expectation (inverted scaling). In evaluation mode this is the identity. There are two ways to
/// use it:
///
///     const at::Tensor mask = dropout->draw(z0);                      // in a closure
///     fixed_point([&, mask](const at::Tensor& z) { return torch::tanh(linear(z * mask) + x); }, z0);
///
///     dropout->reset_mask();                                          // in a cell, before each solve
///     layer->forward(x);                                              // evaluates dropout->forward(…)
///
/// The first is right whatever happens between the forward and the backward pass. With the second, a backward
/// pass that creates a graph evaluates the cell again, with the mask that the module has then. Run it before
/// the next `reset_mask`, or it throws. A plain backward pass evaluates nothing, so it needs no such care.
///
/// The gradient is exact for the mask that was drawn. The mask is neither a parameter nor a buffer: it is not
/// saved, and a clone draws its own.
class FixedDropoutImpl : public torch::nn::Cloneable<FixedDropoutImpl> {
 public:
  /// `drop_probability` in [0, 1). Errors: a c10::Error if it is not.
  explicit FixedDropoutImpl(double drop_probability = 0.5);

  /// A mask to multiply with, of the shape, dtype and device of `like`; ones in evaluation mode. Leaves the
  /// module's own mask as it is.
  at::Tensor draw(const at::Tensor& like) const;

  /// `input`, of any shape, times the module's mask. The first call after a reset draws the mask. Errors: a
  /// c10::Error if the mask has another shape, dtype or device, as for a batch of another size. Reset it
  /// before.
  at::Tensor forward(const at::Tensor& input);

  /// Forgets the mask. With `like`, draws one of its shape, dtype and device at once.
  void reset_mask(const at::Tensor& like = {});
  /// The module's mask; undefined after a reset.
  const at::Tensor& mask() const { return mask_; }

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  double p;

 private:
  at::Tensor mask_;
};

TORCH_MODULE(FixedDropout);

}  // namespace stillpoint::nn
