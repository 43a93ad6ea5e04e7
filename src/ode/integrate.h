#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "ode/mesh.h"
#include "ode/problem.h"
#include "ode/schedule.h"
#include "stillpoint/ode/options.h"
#include "stillpoint/ode/solution.h"

namespace stillpoint::detail {

/// What a solve found.
struct Integration {
  at::Tensor values;  ///< `[B, T + E, …]`, outputs and events; NaN where a sample did not come
  std::vector<std::vector<double>> event_times;       ///< of each sample
  std::vector<std::vector<std::int64_t>> which = {};  ///< events of each sample
  std::vector<at::Tensor> states;  ///< as a Carry, where steps start whose number is a multiple of `every`
  std::size_t every = 1;
  at::Tensor end;                  ///< as a Carry, where the last one leads
  std::vector<at::Tensor> memory;  ///< of the method, there; empty without steps
  std::vector<at::Tensor> saved;   ///< as a Carry, where saved steps lead; NaN where a sample did not come
  Mesh mesh;
  ode::Stats stats;
};

/// Solves the problem from y0, contiguous, with gradients off. Remembers the mesh and at most so many
/// states; empty: neither. `save_every`: how many steps lie between two whose ends are saved; 0: none is.
Integration integrate(const Problem& problem, const at::Tensor& y0, const Schedule& schedule,
                      const OdeintOptions& options, std::optional<std::int64_t> states,
                      std::int64_t save_every);

}  // namespace stillpoint::detail
