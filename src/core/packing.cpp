#include "stillpoint/core/packing.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <utility>

namespace stillpoint {
namespace {

std::int64_t width_of(const std::vector<int64_t>& shape) {
  std::int64_t width = 1;
  for (std::size_t d = 1; d < shape.size(); ++d) width *= shape[d];
  return width;
}

}  // namespace

Packing::Packing(const std::vector<at::Tensor>& like) {
  TORCH_CHECK(!like.empty(), "state: expected at least one tensor, got an empty list");
  for (std::size_t i = 0; i < like.size(); ++i) {
    const at::Tensor& t = like[i];
    TORCH_CHECK(t.defined() && t.dim() > 0, "state[", i, "]: expected a tensor [B, …], got ",
                t.defined() ? "one without dimensions" : "an undefined one");
    TORCH_CHECK(t.size(0) == like[0].size(0) && t.scalar_type() == like[0].scalar_type() &&
                    t.device() == like[0].device(),
                "state[", i, "]: expected ", like[0].size(0), " samples, ", like[0].scalar_type(), ", on ",
                like[0].device(), " as state[0], got ", t.size(0), ", ", t.scalar_type(), ", on ",
                t.device());
    shapes_.push_back(t.sizes().vec());
    widths_.push_back(width_of(shapes_.back()));
  }
  options_ = like[0].options();
}

at::Tensor Packing::pack(const std::vector<at::Tensor>& state) const {
  TORCH_CHECK(state.size() == shapes_.size(), "state: expected ", shapes_.size(), " tensors, got ",
              state.size());
  std::vector<at::Tensor> rows;
  rows.reserve(state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    const at::Tensor& t = state[i];
    TORCH_CHECK(t.defined(), "state[", i, "]: expected a tensor, got an undefined one");
    TORCH_CHECK(t.sizes() == shapes_[i] && t.scalar_type() == at::typeMetaToScalarType(options_.dtype()) &&
                    t.device() == options_.device(),
                "state[", i, "]: expected shape ", at::IntArrayRef(shapes_[i]), ", ", options_.dtype(),
                ", on ", options_.device(), "; got ", t.sizes(), ", ", t.dtype(), ", on ", t.device());
    rows.push_back(t.reshape({shapes_[i][0], widths_[i]}));
  }
  return at::cat(rows, 1);
}

std::vector<at::Tensor> Packing::unpack(const at::Tensor& packed) const {
  std::vector<at::Tensor> state = packed.split_with_sizes(widths_, 1);
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::vector<std::int64_t> shape = shapes_[i];
    shape[0] = packed.size(0);  // some of the samples may be left out
    state[i] = state[i].reshape(shape);
  }
  return state;
}

Map Packing::pack(TupleMap f) const {
  return
      [packing = *this, f = std::move(f)](const at::Tensor& z) { return packing.pack(f(packing.unpack(z))); };
}

MapWithInputs Packing::pack(TupleMapWithInputs f) const {
  return [packing = *this, f = std::move(f)](const at::Tensor& z, const std::vector<at::Tensor>& inputs) {
    Packing own = packing;
    for (std::vector<int64_t>& shape : own.shapes_) shape[0] = z.size(0);
    return own.pack(f(own.unpack(z), inputs));
  };
}

}  // namespace stillpoint
