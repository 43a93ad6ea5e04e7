#include "stillpoint/equations/monotone.h"

#include <c10/util/Exception.h>

#include "equations/monotone_parts.h"

namespace stillpoint {

MonotoneMap::operator Condition() const {
  TORCH_CHECK(affine != nullptr && activation != nullptr,
              "f: expected a MonotoneMap with affine and activation, got an empty ",
              affine == nullptr ? "affine" : "activation");
  Condition whole(
      [affine = affine, activation = activation](const at::Tensor& z) { return activation(affine(z)); });
  whole.parts = *this;
  return whole;
}

const MonotoneMap& detail::monotone_parts(const CheckedMap& f, const char* solver) {
  const MonotoneMap* parts = f.condition().part<MonotoneMap>();
  TORCH_CHECK(parts != nullptr, f.condition().name, ": ", solver,
              " needs the map in its parts, expected fixed_point(MonotoneMap{…}, …), got a plain map");
  return *parts;
}

}  // namespace stillpoint
