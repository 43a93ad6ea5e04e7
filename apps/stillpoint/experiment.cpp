#include "experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numbers>
#include <utility>

#include "ball_network.h"
#include "conv_network.h"
#include "curve_network.h"
#include "experiment_parts.h"
#include "fixed_point_network.h"
#include "image_network.h"
#include "language_network.h"
#include "monotone_network.h"
#include "optimization_experiments.h"
#include "run_parts.h"
#include "stillpoint/equations/gradients/unrolled_gradient.h"
#include "stillpoint/equations/solvers/forward_backward.h"
#include "stillpoint/equations/solvers/newton.h"
#include "stillpoint/equations/solvers/peaceman_rachford.h"
#include "stillpoint/equations/solvers/picard.h"
#include "stillpoint/linear/solvers/gmres.h"
#include "stillpoint/ode/gradients/continuous.h"
#include "stillpoint/ode/gradients/discrete.h"
#include "stillpoint/ode/gradients/unrolled.h"
#include "trajectory_network.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

/// Samples that miss the tolerance are counted and shown with each epoch. The backward solve has the same
/// relative tolerance.
FixedPointOptions solve_to(double relative, FixedPointSolver solver, std::int64_t max_iterations) {
  return {.solver = std::move(solver),
          .gradient = ImplicitGradient{.tolerance = {.relative = relative, .absolute = 0.0}},
          .tolerance = {.relative = relative, .absolute = 1e-6},
          .max_iterations = max_iterations,
          .on_failure = OnFailure::Ignore};
}

/// For convolutions: a residual of 1e-2 and at most 25 iterations, forward and backward.
FixedPointOptions solve_briefly() {
  auto options = solve_to(1e-2, Anderson{.memory = 5}, 25);
  options.gradient = ImplicitGradient{.linear_solver = Gmres{.restart = 25, .max_iterations = 25},
                                      .tolerance = {.relative = 1e-2, .absolute = 0.0}};
  return options;
}

/// As far as double precision goes.
FixedPointOptions exactly(FixedPointSolver solver) { return solve_to(1e-10, std::move(solver), 2000); }

double cosine(double done, double all) {
  const double last = 1e-6, first = 1e-3;
  return last + (first - last) * 0.5 * (1 + std::cos(std::numbers::pi * done / all));
}

Recipe adam(std::int64_t batch, std::function<double(double, double)> rate) {
  return {.batch = batch, .optimizer = Recipe::Optimizer::Adam, .rate = std::move(rate)};
}

Experiment fixed_point_experiment() {
  const auto to_tolerance = [](FixedPointSolver solver, GradientRule gradient) {
    return FixedPointOptions{.solver = std::move(solver),
                             .gradient = std::move(gradient),
                             .tolerance = {.relative = 0.0, .absolute = kTolerance},
                             .max_iterations = 200,
                             .on_failure = OnFailure::Ignore};
  };
  const auto variant = [](std::string name, const FixedPointOptions& options) {
    return variant_of<FixedPointNetwork>(std::move(name), options);
  };
  return {.name = "fixed-point",
          .description = "Linear(784, 100), then the fixed point z* = tanh(W z* + x), then Linear(100, 10)",
          .task = Task::Classes,
          .load = load_images,
          .data = kFashion,
          .recipe = {.batch = 100,
                     .optimizer = Recipe::Optimizer::GradientDescent,
                     .rate = [](double done, double) { return done < 5 ? 0.1 : 0.01; },
                     .only_converged = true},
          .variants = {variant("picard-unrolled", to_tolerance(Picard{}, UnrolledGradient{})),
                       variant("picard-implicit", to_tolerance(Picard{}, ImplicitGradient{})),
                       variant("anderson-implicit", to_tolerance(Anderson{}, ImplicitGradient{})),
                       variant("newton-implicit", to_tolerance(Newton{}, ImplicitGradient{}))},
          .reference = {.solver = Picard{},
                        .gradient = UnrolledGradient{},
                        .tolerance = {.relative = 0.0, .absolute = 1e-12},
                        .max_iterations = 2000,
                        .on_failure = OnFailure::Ignore},
          .compared = {Picard{}, Anderson{}, Newton{}}};
}

Recipe monotone_recipe() {
  return adam(128, [](double done, double) { return done < 10 ? 1e-3 : 1e-4; });
}

Experiment monotone_experiment() {
  return {
      .name = "monotone",
      .description = "The monotone equilibrium of 87 units, then Linear(87, 10)",
      .task = Task::Classes,
      .load = load_images,
      .data = kFashion,
      .recipe = monotone_recipe(),
      .variants = {variant_of<MonotoneNetwork>("forward-backward", solve_to(1e-3, ForwardBackward{}, 300)),
                   variant_of<MonotoneNetwork>("peaceman-rachford", solve_to(1e-3, PeacemanRachford{}, 300))},
      .reference = exactly(PeacemanRachford{})};
}

Experiment monotone_conv_experiment() {
  const std::int64_t channels = 16;
  return {
      .name = "monotone-conv",
      .description = "The monotone equilibrium of 16 channels, then averages over 4 x 4 pixels, then Linear",
      .task = Task::Classes,
      .load = load_images,
      .data = kFashion,
      .recipe = monotone_recipe(),
      .variants = {variant_of<MonotoneConvNetwork>("forward-backward", channels,
                                                   solve_to(1e-2, ForwardBackward{}, 300)),
                   variant_of<MonotoneConvNetwork>("peaceman-rachford", channels,
                                                   solve_to(1e-2, PeacemanRachford{}, 300))},
      .reference = exactly(PeacemanRachford{}),
      .measured = 10};
}

Experiment conv_experiment() {
  return {.name = "conv-deq",
          .description = "Conv(1, 48), then the equilibrium of a residual block (48, 64, 48), then Linear",
          .task = Task::Classes,
          .load = load_images,
          .data = kFashion,
          .recipe = adam(100, cosine),
          .variants = {variant_of<ConvNetwork>("gamma-0", 0.0, solve_briefly()),
                       variant_of<ConvNetwork>("gamma-2", 2.0, solve_briefly())},
          .reference = exactly(Anderson{}),
          .measured = 10};
}

Experiment multiscale_experiment() {
  return {
      .name = "mdeq",
      .description = "Conv(1, 24, stride 2), then the equilibrium of two resolutions (24, 48), then Linear",
      .task = Task::Classes,
      .load = load_images,
      .data = kFashion,
      .recipe = adam(100, cosine),
      .variants = {variant_of<MultiscaleNetwork>("gamma-0", 0.0, solve_briefly()),
                   variant_of<MultiscaleNetwork>("gamma-0.5", 0.5, solve_briefly())},
      .reference = exactly(Anderson{}),
      .measured = 10};
}

Experiment transformer_experiment() {
  const std::int64_t one = 1, twelve = 12;
  return {
      .name = "transformer",
      .description = "A causal transformer of width 128 on pieces of 64 bytes, as equilibrium and explicit",
      .task = Task::Characters,
      .load = [](const std::filesystem::path& data,
                 c10::Device device) { return load_text(data, kTextLength, device); },
      .data = {},
      .recipe = adam(32, cosine),
      .variants = {variant_of<EquilibriumTransformer>("equilibrium",
                                                      solve_to(1e-2, Anderson{.memory = 5}, 25)),
                   variant_of<ExplicitTransformer>("explicit-1", one),
                   variant_of<ExplicitTransformer>("explicit-12", twelve)},
      .reference = exactly(Anderson{}),
      .measured = 10};
}

Experiment curve_experiment() {
  const auto options = solve_to(1e-4, Anderson{.memory = 5}, 200);
  return {.name = "jacobian-toy",
          .description =
              "z* = W2 relu(W1 z* + U x + b1) + b2 of 50 units fits a curve; gamma weighs its Jacobian",
          .task = Task::Numbers,
          .load = own_data("jacobian-toy", make_curve),
          .data = {},
          .recipe = {.batch = 64, .epochs = 20, .optimizer = Recipe::Optimizer::Adam, .rate = cosine},
          .variants = {variant_of<CurveNetwork>("gamma-0", 0.0, options),
                       variant_of<CurveNetwork>("gamma-2", 2.0, options),
                       variant_of<CurveNetwork>("gamma-4", 4.0, options)},
          .reference = exactly(Anderson{})};
}

OdeintOptions solve_ode(ode::GradientRule gradient) {
  return {.gradient = std::move(gradient),
          .tolerance = {.relative = 1e-5, .absolute = 1e-6},
          .on_failure = OnFailure::Ignore};
}

Experiment spiral_experiment() {
  const double step = kSpiralEnd / (kSpiralTimes - 1);
  using Spiral = TrajectoryNetwork<SpiralField>;
  return {.name = "spiral",
          .description = "dy/dt = W2 tanh(W1 y^3 + b1) + b2 of 50 units learns a spiral from pieces of it",
          .task = Task::Trajectories,
          .load = own_data("spiral", make_spiral),
          .data = {},
          .recipe = {.batch = 20,
                     .epochs = 40,
                     .optimizer = Recipe::Optimizer::RmsProp,
                     .rate = [](double, double) { return 1e-3; }},
          .variants = {variant_of<Spiral>("discrete", step, kSpiralTimes, solve_ode(ode::Discrete{})),
                       variant_of<Spiral>("unrolled", step, kSpiralTimes, solve_ode(ode::Unrolled{}))},
          .counts_evaluations = true,
          .reference = {}};
}

Experiment lotka_volterra_experiment() {
  const double step = kLotkaVolterraEnd / (kLotkaVolterraTimes - 1);
  using Populations = TrajectoryNetwork<LotkaVolterraField>;
  return {.name = "lotka-volterra",
          .description = "The four rates of prey and predators, from pieces of their trajectory",
          .task = Task::Trajectories,
          .load = own_data("lotka-volterra", make_lotka_volterra),
          .data = {},
          .recipe = {.batch = 20,
                     .epochs = 150,
                     .optimizer = Recipe::Optimizer::Adam,
                     .rate = [](double done, double all) { return 10 * cosine(done, all); }},
          .variants = {variant_of<Populations>("discrete", step, kLotkaVolterraTimes,
                                               solve_ode(ode::Discrete{}))},
          .counts_evaluations = true,
          .reference = {}};
}

Experiment bouncing_ball_experiment() {
  return {.name = "bouncing-ball",
          .description = "Gravity and restitution of a ball, from the times at which it touches the ground",
          .task = Task::Numbers,
          .load = own_data("bouncing-ball", make_contacts),
          .data = {},
          .recipe = {.batch = 50,
                     .epochs = 80,
                     .optimizer = Recipe::Optimizer::Adam,
                     .rate = [](double done, double all) { return 50 * cosine(done, all); }},
          .variants = {variant_of<BallNetwork>("discrete")},
          .counts_evaluations = true,
          .reference = {}};
}

/// As `variant_of`, of a model whose width is first.
template <class Model, class... Arguments>
Variant wide_variant_of(std::string name, Arguments... arguments) {
  return {std::move(name),
          [=](std::int64_t width) -> NetworkPointer { return std::make_shared<Model>(width, arguments...); }};
}

Experiment ode_net_experiment() {
  const auto adaptive = [](ode::GradientRule gradient) {
    return OdeintOptions{.gradient = std::move(gradient),
                         .tolerance = {.relative = 1e-3, .absolute = 1e-3},
                         .on_failure = OnFailure::Ignore};
  };
  // In units of the largest gradient of a sample. ReLUs make the adjoint's slope jump, so that a tolerance as
  // that of the solve takes ten times its evaluations.
  const ode::Backsolve backsolve{.tolerance = ode::Tolerance{.relative = 0.1, .absolute = 0.1},
                                 .on_failure = OnFailure::Ignore};
  const OdeintOptions fixed{.method = ode::Rk4{},
                            .control = ode::ConstantStep{0.25},
                            .gradient = ode::Unrolled{},
                            .on_failure = OnFailure::Ignore};
  return {
      .name = "ode-net",
      .description =
          "Convolutions to 6 x 6 pixels, then y(1) of an ODE, six residual blocks or nothing, "
          "then Linear",
      .task = Task::Classes,
      .load = load_images,
      .data = kFashion,
      .recipe = {.batch = 128,
                 .optimizer = Recipe::Optimizer::GradientDescent,
                 .momentum = 0.9,
                 .crop = 4,
                 // Steps of 0.1 in the first 60 of 160 epochs, as published.
                 .rate =
                     [](double done, double all) {
                       const double part = 160 * done / all;
                       return part < 60 ? 0.1 : part < 100 ? 0.01 : part < 140 ? 1e-3 : 1e-4;
                     }},
      .variants = {wide_variant_of<OdeImageNetwork>("ode-net", adaptive(ode::Discrete{})),
                   wide_variant_of<OdeImageNetwork>("ode-net-backsolve", adaptive(backsolve)),
                   wide_variant_of<ResidualImageNetwork>("resnet"),
                   wide_variant_of<OdeImageNetwork>("rk-net", fixed), wide_variant_of<ImageNetwork>("none")},
      .width = 64,
      .counts_evaluations = true,
      .reference = {},
      .measured = 10};
}

}  // namespace

std::vector<std::string> Experiment::variant_names() const { return names_of(variants); }

const Variant& Experiment::variant(const std::string& wanted) const {
  return find_variant(name, variants, wanted);
}

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> all{
      fixed_point_experiment(),   monotone_experiment(),   monotone_conv_experiment(),
      conv_experiment(),          multiscale_experiment(), transformer_experiment(),
      curve_experiment(),         spiral_experiment(),     lotka_volterra_experiment(),
      bouncing_ball_experiment(), ode_net_experiment(),    sudoku_experiment(),
      denoise_experiment(),       projection_experiment(), top_k_experiment()};
  return all;
}

std::vector<std::string> experiment_names() { return names_of(experiments()); }

const Experiment& experiment(const std::string& name, std::int64_t width) {
  const auto& all = experiments();
  const auto found = std::ranges::find(all, name, &Experiment::name);
  if (found == all.end()) {
    throw UserError(
        fmt::format("no model is called {}: choose from {}", name, fmt::join(experiment_names(), ", ")));
  }
  if (width == 0 || width == found->width) {
    return *found;
  }
  if (found->width == 0) {
    throw UserError(
        fmt::format("--width {}: the model {} has no width to choose; leave --width out", width, name));
  }
  static std::map<std::pair<std::string, std::int64_t>, Experiment> others;
  auto& other = others.emplace(std::pair(name, width), *found).first->second;
  other.width = width;
  return other;
}

}  // namespace stillpoint::app
