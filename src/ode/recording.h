#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "ode/event_watch.h"
#include "ode/mesh.h"
#include "ode/schedule.h"
#include "stillpoint/core/mask.h"

namespace stillpoint::detail {

/// What a solve leaves behind: the outputs, the events, the mesh and where its steps started.
class Recording {
 public:
  /// Remembers the mesh and where at most `states` steps start; empty: neither.
  Recording(const Schedule& schedule, const at::Tensor& y0, bool joint, std::optional<std::int64_t> states);

  /// Adds an accepted step of a clock to the mesh, with the outputs that it passes.
  void add(std::size_t clock, MeshStep step);
  /// Keeps where the latest steps of these samples lead, of each step whose number plus one is a multiple.
  void save(std::size_t every, const Mask& moving, const at::Tensor& carry);
  std::vector<at::Tensor> saved() { return std::move(saved_); }
  /// Remembers the state that the latest steps of these samples start from, if it is their turn.
  void remember(const Mask& moving, const at::Tensor& y);
  std::size_t steps(std::size_t clock) const { return steps_[clock]; }
  const MeshStep& latest(std::size_t clock) const { return mesh_.clocks[clock].back(); }

  /// Writes what these samples have in these columns, one a clock; −1: none.
  void write(const std::vector<std::int64_t>& columns, const at::Tensor& state, const Mask& samples);
  /// Writes an event of each of these samples.
  void write_event(const Mask& samples, const std::vector<double>& times, const at::Tensor& state);

  /// `taken` is how many steps each sample took; `y` is where it stands.
  Mesh mesh(std::vector<std::size_t> taken);
  /// Where the steps start whose number is a multiple of `every()`.
  std::vector<at::Tensor> states(const std::vector<std::size_t>& taken, const at::Tensor& y);
  std::size_t every() const { return every_; }
  /// `[B, T + E, …]`; NaN where a sample did not come.
  at::Tensor values() const;
  /// `[B, E]`, on the host.
  std::vector<std::vector<double>> event_times() const { return event_times_; }

 private:
  bool is_next(std::size_t number);

  const Schedule& schedule_;
  bool keep_mesh_;
  std::size_t most_states_;
  std::size_t every_ = 1;
  Mesh mesh_;                       // if it is not kept, of the latest steps alone
  std::vector<std::size_t> steps_;  // of each clock
  at::Tensor values_;               // of the outputs
  std::vector<at::Tensor> event_states_;
  std::vector<std::vector<double>> event_times_;  // of each sample
  std::vector<std::int64_t> output_;              // of each clock, the next one
  std::vector<at::Tensor> states_;
  std::vector<at::Tensor> saved_;
};

}  // namespace stillpoint::detail
