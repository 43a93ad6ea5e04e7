#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "stillpoint/nn/field_module.h"
#include "stillpoint/ode/odeint.h"

namespace stillpoint::nn {

/// How the trace of ∂f/∂z is found.
enum class Trace : std::uint8_t {
  /// Row by row of the Jacobian, all in one sweep of N times the batch, for samples of N numbers.
  Exact,
  /// By one product with noise of ±1, drawn once a solve: right on average, for many numbers. (Hutchinson
  /// 1990; Grathwohl et al. 2019.)
  Hutchinson
};

/// Options of `ContinuousFlow`.
struct ContinuousFlowOptions {
  Trace trace = Trace::Exact;
  double end_time = 1.0;         ///< > 0, where z is the base's
  bool learns_end_time = false;  ///< whether it is a parameter, as its square root
  /// Whether `Flow` has the two penalties of Finlay et al. 2020; they are then part of the state whose error
  /// chooses the steps.
  bool penalties = false;
  OdeintOptions solve = {};
};

/// Where samples came to, and what was integrated on the way.
struct Flow {
  at::Tensor z;        ///< `[B, …]`
  at::Tensor log_det;  ///< `[B]`, log |det ∂z/∂x| = ∫ tr ∂f/∂z dt
  at::Tensor kinetic;  ///< `[B]`, ∫ ‖f‖² dt / N; undefined without penalties
  /// `[B]`, ∫ ‖∂f/∂z‖_F² dt / N, or its estimate by the noise; undefined without penalties.
  at::Tensor jacobian;
};

/// A continuous normalizing flow: the density that samples have if dz/dt = field(t, z) leads each x = z(0) to
/// a z(T) that is standard normal. The field is any module as for `NeuralOde`. (Chen et al. 2018, "Neural
/// ordinary differential equations"; Grathwohl et al. 2019, "FFJORD".)
///
/// **Exactness.** With `Trace::Exact` the density is that of the flow to the tolerance of the solve. A loose
/// tolerance makes a log-density that no flow has: check it beside a tighter one before comparing nats. With
/// `Trace::Hutchinson` it is so on average over the noise. Gradients in the field's parameters, x and T are
/// those of the gradient rule, to any order. **Cost.** A slope is one evaluation of the field and one product
/// with its Jacobian, of N times the batch if the trace is exact.
///
/// Its parameters are those of the field, under the name "field", and "sqrt_end_time" where that is learned.
/// It clones as `NeuralOde` does. **Errors.** A c10::Error if samples have another shape than `shape`.
class ContinuousFlowImpl : public torch::nn::Cloneable<ContinuousFlowImpl> {
 public:
  /// `shape` is that of a sample.
  template <class Field>
  ContinuousFlowImpl(const torch::nn::ModuleHolder<Field>& field, std::vector<std::int64_t> shape,
                     ContinuousFlowOptions flow_options = {})
      : options(std::move(flow_options)), field_(field), shape_(std::move(shape)) {
    register_parts();
  }

  /// The log-density of samples `[B, …]`, in nats: `[B]`.
  at::Tensor log_prob(const at::Tensor& x);
  /// The same of samples whose way to the base is known, to use that for penalties, too.
  static at::Tensor log_prob(const Flow& flow);
  /// Samples `[count, …]` of the flow's dtype and device. Differentiable in parameters.
  at::Tensor sample(std::int64_t count);

  /// From data to the base, with all that is integrated.
  Flow to_base(const at::Tensor& x);
  /// Back, without it.
  at::Tensor from_base(const at::Tensor& z);
  /// Samples at several times, `[B, T, …]`, from the base (the first time T) to data (the last time 0), or
  /// the other way.
  at::Tensor trajectory(const at::Tensor& start, const ode::Times& t);

  /// Where the flow ends, in double; differentiable if it is learned.
  at::Tensor end_time() const;
  /// How the latest solve went.
  const ode::Stats& stats() const { return stats_; }

  void reset() override;
  void pretty_print(std::ostream& stream) const override;

  ContinuousFlowOptions options;

 private:
  void register_parts();
  void check(const char* name, const at::Tensor& samples) const;
  void keep(ode::Stats stats);

  FieldModule field_;
  std::vector<std::int64_t> shape_;
  at::Tensor sqrt_end_time_;
  ode::Stats stats_;
};

TORCH_MODULE(ContinuousFlow);

}  // namespace stillpoint::nn
