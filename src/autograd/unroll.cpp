#include "stillpoint/autograd/unroll.h"

#include <memory>
#include <utility>

#include "autograd/recompute.h"
#include "stillpoint/core/packing.h"

namespace stillpoint {
namespace {

using Trail = std::vector<std::function<State(const State&)>>;

State follow(const Trail& trail, State state) {
  for (const auto& again : trail) state = again(state);
  return state;
}

}  // namespace

State unroll(State start, const NextStep& next) {
  State state = std::move(start);
  while (std::optional<Step> step = next(state)) state = std::move(step->next);
  return state;
}

State unroll_checkpointed(State start, const NextStep& next, std::int64_t every) {
  const Packing packing(start);
  const bool packs = start.size() > 1;
  const auto packed = [&](const State& state) { return packs ? packing.pack(state) : state[0]; };
  at::Tensor here = packs ? packing.pack(start) : std::move(start[0]);
  bool ended = false;
  while (!ended) {
    const auto trail = std::make_shared<Trail>();
    const auto unpacked = [packing, packs](const at::Tensor& t) {
      return packs ? packing.unpack(t) : State{t};
    };
    const Map first = [&](const at::Tensor& from) {
      State state = unpacked(from);
      while (static_cast<std::int64_t>(trail->size()) < every) {
        std::optional<Step> step = next(state);
        ended = !step;
        if (ended) break;
        state = std::move(step->next);
        trail->push_back(std::move(step->again));
      }
      return packed(state);
    };
    const Map again = [packing, packs, unpacked, trail](const at::Tensor& from) {
      const State state = follow(*trail, unpacked(from));
      return packs ? packing.pack(state) : state[0];
    };
    here = detail::recompute(first, again, here);
  }
  return packs ? packing.unpack(here) : State{here};
}

}  // namespace stillpoint
