#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <type_traits>

#include "stillpoint/ode/vector_field.h"

namespace stillpoint::nn {

/// A module with `forward(Tensor t, Tensor y) → Tensor` or `forward(Tensor y) → Tensor` as the f of dy/dt =
/// f(t, y). Copies share the module.
class FieldModule {
 public:
  template <class Field>
  explicit FieldModule(const torch::nn::ModuleHolder<Field>& field)
      : module_(field.ptr()),
        call_([](torch::nn::Module& module, const at::Tensor& t, const at::Tensor& y) -> at::Tensor {
          if constexpr (kTakesTime<Field>) {
            return dynamic_cast<Field&>(module).forward(t, y);
          } else {
            return dynamic_cast<Field&>(module).forward(y);
          }
        }),
        takes_time_(kTakesTime<Field>) {}

  /// `t` may be undefined if the module does not take it.
  at::Tensor operator()(const at::Tensor& t, const at::Tensor& y) const { return call_(*module_, t, y); }
  bool takes_time() const { return takes_time_; }
  const std::shared_ptr<torch::nn::Module>& module() const { return module_; }
  /// The same with a copy of the module, which has to be `Cloneable`.
  FieldModule cloned() const {
    FieldModule copy(*this);
    copy.module_ = module_->clone();
    return copy;
  }

 private:
  template <class Field>
  static constexpr bool kTakesTime =
      std::is_invocable_v<decltype(&Field::forward), Field&, const at::Tensor&, const at::Tensor&>;

  std::shared_ptr<torch::nn::Module> module_;
  at::Tensor (*call_)(torch::nn::Module&, const at::Tensor& t, const at::Tensor& y);
  bool takes_time_;
};

}  // namespace stillpoint::nn
