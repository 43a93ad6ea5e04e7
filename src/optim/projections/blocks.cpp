#include "optim/projections/blocks.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace stillpoint::detail {
namespace {

struct Pool {
  double weight;
  double mean;
  std::int64_t end;  // one after its last entry
};

// Pools neighbors while the one before has the larger mean, or an equal one.
void pool_violators(const double* y, const double* weights, std::int64_t n, std::int64_t* index) {
  std::vector<Pool> pools;
  for (std::int64_t i = 0; i < n; ++i) {
    Pool pool{weights == nullptr ? 1.0 : weights[i], y[i], i + 1};
    if (!std::isfinite(pool.mean) || !std::isfinite(pool.weight) || !(pool.weight > 0.0)) {
      std::fill_n(index, n, 0);
      return;
    }
    while (!pools.empty() && pools.back().mean >= pool.mean) {
      const Pool& before = pools.back();
      const double weight = before.weight + pool.weight;
      // From the mean before, so that equal means stay equal.
      pool.mean = before.mean + (pool.mean - before.mean) * (pool.weight / weight);
      pool.weight = weight;
      pools.pop_back();
    }
    pools.push_back(pool);
  }
  std::int64_t i = 0;
  for (std::size_t block = 0; block < pools.size(); ++block) {
    for (; i < pools[block].end; ++i) index[i] = static_cast<std::int64_t>(block);
  }
}

}  // namespace

at::Tensor on_host(const at::Tensor& t) { return t.detach().cpu().to(at::kDouble).contiguous(); }

at::Tensor Blocks::sums(const at::Tensor& t) const {
  return at::scatter_add(at::zeros_like(index, t.options()), 1, index, t.expand_as(index));
}

at::Tensor Blocks::means(const at::Tensor& t, const at::Tensor& weights) const {
  const at::Tensor w = weights.defined() ? weights : at::ones_like(index, t.options());
  const at::Tensor total = sums(w);
  return spread(sums(w * t) / total.masked_fill(total == 0.0, 1.0));
}

Blocks isotonic_blocks(const at::Tensor& y, const at::Tensor& weights) {
  const at::Tensor values = on_host(y);
  const at::Tensor given = weights.defined() ? on_host(weights) : weights;
  at::Tensor index = at::empty(y.sizes(), values.options().dtype(at::kLong));
  const std::int64_t n = y.size(1);
  for (std::int64_t b = 0; b < y.size(0); ++b) {
    pool_violators(values.data_ptr<double>() + b * n,
                   given.defined() ? given.data_ptr<double>() + b * n : nullptr, n,
                   index.data_ptr<std::int64_t>() + b * n);
  }
  return {index.to(y.device())};
}

}  // namespace stillpoint::detail
