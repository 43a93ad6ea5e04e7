#include "threads/cases.h"

#include "stillpoint/stillpoint.h"

namespace stillpoint::test {
namespace {

const Tolerance kTight = {.relative = 1e-13, .absolute = 0.0};

Map cell(const Tensor& w, const Tensor& x) {
  return [=](const Tensor& z) { return torch::tanh(z.matmul(w) + x); };
}

FixedPointOptions by(FixedPointSolver solver, GradientRule gradient = ImplicitGradient{.tolerance = kTight}) {
  return {.solver = std::move(solver),
          .gradient = std::move(gradient),
          .tolerance = {.relative = 1e-12, .absolute = 0.0},
          .on_failure = OnFailure::Throw};
}

Case with(std::string name, const FixedPointOptions& options, int orders = 2, double tolerance = 0.0) {
  const auto layer = [=](const Tensor& w, const Tensor& x) {
    return fixed_point(cell(w, x), torch::zeros_like(x), options).value;
  };
  return {std::move(name), layer, orders, tolerance};
}

Tensor by_hand(const Tensor& w, const Tensor& x) {
  const auto transposed = [=](const Tensor& z) -> Map {
    const Tensor slope = 1.0 - z.square();
    return [=](const Tensor& u) { return (u * slope).matmul(w.detach().t()); };
  };
  const ImplicitGradient rule{.tolerance = kTight, .transposed_jacobian = transposed};
  return fixed_point(cell(w, x), torch::zeros_like(x), by(Anderson{}, rule)).value;
}

Tensor by_root(const Tensor& w, const Tensor& x) {
  const Map g = [=](const Tensor& z) { return z + 0.1 * z.pow(3) - torch::tanh(z.matmul(w) + x); };
  const RootOptions options{.solver = Newton{}, .gradient = ImplicitGradient{.tolerance = kTight}};
  return root(g, torch::zeros_like(x), options).value;
}

Tensor by_linear_solve(const Tensor& w, const Tensor& x) {
  const LinearOperator a{.product = [=](const Tensor& v) { return v.matmul(w); }, .identity_minus = true};
  return linear_solve(a, x, {.tolerance = kTight}).value;
}

Tensor by_matrix(const Tensor& w, const Tensor& x) {
  return linear_solve(torch::eye(4, w.options()) - w, x, {.tolerance = kTight}).value;
}

// As in nn::MonotoneLinear, with the leaves of the test as its weights.
Tensor by_splitting(const Tensor& w, const Tensor& x) {
  const auto layer =
      std::make_shared<nn::MonotoneLinearImpl>(4, 4, nn::MonotoneOptions{.solve = by(PeacemanRachford{})});
  layer->a = w;
  layer->b = 0.5 * w.t();
  return fixed_point(layer->map_of(x), torch::zeros_like(x), layer->options.solve).value;
}

Tensor in_parts(const Tensor& w, const Tensor& x) {
  const TupleMap f = [=](const std::vector<Tensor>& z) {
    return std::vector<Tensor>{torch::tanh(z[1].matmul(w) + x), torch::sin(z[0].matmul(w))};
  };
  const auto z = fixed_point(f, {torch::zeros_like(x), torch::zeros_like(x)}, by(Anderson{})).value;
  return z[0] + z[1];
}

Tensor with_inputs(const Tensor& w, const Tensor& x) {
  const MapWithInputs f = [=](const Tensor& z, const std::vector<Tensor>& in) {
    return torch::tanh(z.matmul(w) + in[0]);
  };
  return fixed_point({f, {x}}, torch::zeros_like(x), by(Anderson{})).value;
}

Tensor recomputed(const Tensor& w, const Tensor& x) {
  return recompute([=](const Tensor& z) { return torch::tanh(z.matmul(w)) * x; }, recompute(cell(w, x), x));
}

// f runs a backward pass of its own.
Tensor slope_of_an_energy(const Tensor& w, const Tensor& x) {
  const Map f = [=](const Tensor& z) {
    const bool recording = torch::GradMode::is_enabled();
    const torch::AutoGradMode on(true);
    const Tensor y = recording && z.requires_grad() ? z : z.detach().requires_grad_();
    const Tensor energy = 0.5 * torch::log(torch::cosh(y.matmul(w) + x)).sum() + (x * y.sin()).sum() * 0.1;
    const Tensor slope = torch::autograd::grad({energy}, {y}, {}, true, /*create_graph=*/true)[0];
    return recording ? slope : slope.detach();
  };
  return fixed_point(f, torch::zeros_like(x), by(Anderson{})).value;
}

// f's own graph holds the node of another layer, whose f captured what the outer one made of z.
Tensor layer_in_layer(const Tensor& w, const Tensor& x) {
  const Map outer = [=](const Tensor& z) {
    const Tensor inner = fixed_point(cell(w, z.sin()), torch::zeros_like(z), by(Anderson{})).value;
    return 0.5 * inner.cos() + recompute(cell(w, x), z) * 0.1;
  };
  return fixed_point(outer, torch::zeros_like(x), by(Picard{})).value;
}

Tensor layer_in_recompute(const Tensor& w, const Tensor& x) {
  const Map piece = [=](const Tensor& y) {
    return fixed_point(cell(w, y), x.detach(), by(Anderson{})).value;
  };
  return recompute(piece, recompute(piece, x));
}

}  // namespace

std::vector<Case> cases() {
  const auto reusing = [](Reuse reuse) {
    return ImplicitGradient{.tolerance = {.relative = 1e-12, .absolute = 0.0}, .reuse = reuse};
  };
  const ImplicitGradient warm{.tolerance = kTight, .warm_start = std::make_shared<AdjointStart>()};
  return {with("Anderson", by(Anderson{})),
          with("Gmres", by(Picard{}, ImplicitGradient{.linear_solver = Gmres{}, .tolerance = kTight})),
          with("DenseLu", by(Auto{}, ImplicitGradient{.linear_solver = DenseLu{}, .tolerance = kTight})),
          with("Newton's inverse", by(Newton{}, reusing(Reuse::Preconditioner))),
          with("Broyden's inverse", by(Broyden{}, reusing(Reuse::Preconditioner))),
          with("Newton's inverse alone", by(Newton{}, reusing(Reuse::Approximation)), 1),
          with("warm start", by(Anderson{}, warm), 2, 1e-11),
          with("unrolled", by(Picard{}, UnrolledGradient{})),
          with("checkpointed", by(Picard{}, CheckpointedGradient{.every = 4})),
          with("reversible", by(Reversible{}, ReversibleGradient{.checkpoint_every = 4})),
          with("phantom", by(Anderson{}, PhantomGradient{.steps = 5})),
          {"product by hand", by_hand},
          {"root", by_root},
          {"linear operator", by_linear_solve},
          {"matrix", by_matrix},
          {"monotone", by_splitting},
          {"tuple", in_parts},
          {"inputs", with_inputs},
          {"recomputed", recomputed},
          {"slope of an energy", slope_of_an_energy},
          {"layer in a layer", layer_in_layer},
          {"layer in a recomputed piece", layer_in_recompute}};
}

}  // namespace stillpoint::test
