#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <vector>

#include "stillpoint/core/map.h"

namespace stillpoint {

/// One recorded evaluation of a map, whose vector–Jacobian products can be replayed.
///
/// What the map captured (parameters, upstream tensors) is found in the recorded graph and need not be
/// listed. A replay calls the recorded nodes directly, without the autograd engine, for 0.25–0.9 of the cost
/// of an engine call. You can replay any number of times. Threads wait for each other
/// (see `vjp`).
class Tape {
 public:
  enum class Input {
    Detached,   ///< the recorded graph ends at z
    Connected,  ///< z keeps its place in its own graph, so that replays are differentiable in z
  };

  /// Evaluates `f` once at `z`, with gradients on. Cost: one recorded evaluation.
  explicit Tape(const Map& f, const at::Tensor& z, Input input = Input::Detached);
  ~Tape();
  Tape(Tape&&) noexcept;
  Tape& operator=(Tape&&) noexcept;

  /// f(z), detached.
  const at::Tensor& value() const;
  /// Where the graph of f leads to something other than z, in the order of discovery.
  const torch::autograd::edge_list& captured() const;

  /// vᵀ ∂f/∂z, with the shape of z; zeros if f ignores z. `v` has the shape of f(z). With `create_graph` the
  /// result is differentiable in v, in what f captured and, if connected, in z.
  ///
  /// Like the other products, this is const only to its caller. While it runs on a detached tape, without
  /// `create_graph`, it cuts the edges of recorded nodes that it does not need, so that nodes skip what
  /// nobody asks for. The edges are back when it returns or throws. It holds a lock of the tape meanwhile. So
  /// several threads may ask one tape for products, and get them one after another. But a hook of a tensor
  /// inside f must not ask the tape that runs it, and no backward pass may go through tensors that f made of
  /// z and kept while a product is being computed.
  at::Tensor vjp(const at::Tensor& v, bool create_graph = false) const;

  /// vᵀ ∂f/∂c for each captured edge c; undefined if it is zero.
  std::vector<at::Tensor> pull_back(const at::Tensor& v, bool create_graph = false) const;

  /// Both in one replay: first vᵀ ∂f/∂z, undefined if it is zero, then the results of `pull_back`.
  std::vector<at::Tensor> pull_back_all(const at::Tensor& v, bool create_graph = false) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace stillpoint
