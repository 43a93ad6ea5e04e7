#include "ode/packed_state.h"

#include <functional>
#include <numeric>

namespace stillpoint::detail {

PackedState::PackedState(const State& y0) : packing_(y0), dims_(y0[0].dim()) {
  for (const at::Tensor& part : y0) shapes_.push_back(part.sizes().vec());
}

at::Tensor PackedState::time(const at::Tensor& t) const {
  if (!t.defined() || t.dim() == 0) return t;
  std::vector<std::int64_t> shape(dims_, 1);
  shape[0] = t.size(0);
  return t.view(shape);
}

ode::VectorField PackedState::flat(const ode::TupleVectorField& f) const {
  if (f.slope) {
    ode::VectorField field([*this, slope = f.slope](const at::Tensor& t, const at::Tensor& y) {
      return pack(slope(time(t), unpack(y)));
    });
    field.takes_time = f.takes_time;
    return field;
  }
  return {[*this, slope = f.divisible](const at::Tensor& t, const at::Tensor& y, const State& inputs) {
            // For any number of samples.
            const TupleMapWithInputs at_t = [&](const State& all, const State& some) {
              return slope(time(t), all, some);
            };
            return packing_.pack(at_t)(y, inputs);
          },
          f.inputs};
}

State PackedState::unpack_all(const at::Tensor& values) const {
  State all;
  std::int64_t column = 0;
  for (std::vector<std::int64_t> shape : shapes_) {
    const std::int64_t width =
        std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
    shape.insert(shape.begin() + 1, values.size(1));
    all.push_back(values.narrow(2, column, width).reshape(shape));
    column += width;
  }
  return all;
}

}  // namespace stillpoint::detail
