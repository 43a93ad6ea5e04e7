#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace stillpoint::ode {

/// A function of time and state, made implicitly from `g(t, y)` or `g(y)`, where y is the state as f gets it:
/// a tensor, or a list for a list. What it captures is found, as for f, and need not be listed. `Result` is
/// `at::Tensor`, or `std::vector<at::Tensor>` for a state, which is written as a tensor where y is one.
template <class Result>
class StateFunction {
  using List = std::vector<at::Tensor>;

  template <class F, class Y>
  static constexpr bool takes =
      std::is_invocable_v<F&, const at::Tensor&, const Y&> || std::is_invocable_v<F&, const Y&>;

 public:
  StateFunction() = default;
  template <class F>
  requires(!std::is_same_v<F, StateFunction> && (takes<F, at::Tensor> || takes<F, List>))
      StateFunction(F g) {  // NOLINT(google-explicit-constructor): written as the function
    if constexpr (takes<F, at::Tensor>) {
      takes_list_ = false;
      call_ = [g = std::move(g)](const at::Tensor& t, const List& y) mutable -> Result {
        if constexpr (std::is_invocable_v<F&, const at::Tensor&, const at::Tensor&>) {
          return Result{g(t, y[0])};
        } else {
          return Result{g(y[0])};
        }
      };
    } else {
      call_ = [g = std::move(g)](const at::Tensor& t, const List& y) mutable -> Result {
        if constexpr (std::is_invocable_v<F&, const at::Tensor&, const List&>) {
          return g(t, y);
        } else {
          return g(y);
        }
      };
    }
  }

  explicit operator bool() const { return call_ != nullptr; }
  /// Whether it was written for a list of tensors.
  bool takes_list() const { return takes_list_; }
  Result operator()(const at::Tensor& t, const List& y) const { return call_(t, y); }

 private:
  std::function<Result(const at::Tensor&, const List&)> call_;
  bool takes_list_ = true;
};

}  // namespace stillpoint::ode
