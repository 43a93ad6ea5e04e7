#include "stillpoint/nn/fixed_dropout.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/util/Exception.h>

#include <ostream>

namespace stillpoint::nn {
namespace {

void check_probability(double p) {
  TORCH_CHECK(p >= 0.0 && p < 1.0, "FixedDropout: expected a probability in [0, 1), got ", p);
}

at::Tensor drawn_mask(const at::Tensor& like, double p) {
  check_probability(p);
  const at::NoGradGuard no_grad;
  return at::empty(like.sizes(), like.options()).bernoulli_(1.0 - p).div_(1.0 - p);
}

}  // namespace

FixedDropoutImpl::FixedDropoutImpl(double drop_probability) : p(drop_probability) { check_probability(p); }

// Called on a copy that still shares the mask of its original.
void FixedDropoutImpl::reset() { reset_mask(); }

at::Tensor FixedDropoutImpl::draw(const at::Tensor& like) const {
  return is_training() ? drawn_mask(like, p) : at::ones(like.sizes(), like.options());
}

void FixedDropoutImpl::reset_mask(const at::Tensor& like) {
  mask_ = like.defined() ? drawn_mask(like, p) : at::Tensor();
}

at::Tensor FixedDropoutImpl::forward(const at::Tensor& input) {
  if (!is_training()) return input;
  if (!mask_.defined()) mask_ = drawn_mask(input, p);
  TORCH_CHECK(mask_.sizes() == input.sizes() && mask_.scalar_type() == input.scalar_type() &&
                  mask_.device() == input.device(),
              "FixedDropout: the mask was drawn for shape ", mask_.sizes(), ", ", mask_.scalar_type(),
              ", on ", mask_.device(), "; got ", input.sizes(), ", ", input.scalar_type(), ", on ",
              input.device(), "; call reset_mask() before each solve");
  return input * mask_;
}

void FixedDropoutImpl::pretty_print(std::ostream& stream) const {
  stream << "stillpoint::nn::FixedDropout(p=" << p << ")";
}

}  // namespace stillpoint::nn
