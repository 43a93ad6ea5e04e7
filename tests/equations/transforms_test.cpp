// Tracing, forward mode, vmap and functorch: none sees through a solve, and each gets an error that says what
// to do instead.
#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/script.h>
#include <torch/version.h>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using Layer = std::function<Tensor(const Tensor& w, const Tensor& x, const Tensor& z0)>;

struct Verb {
  std::string name;
  Layer layer;                       ///< f captures w and x
  bool from_start = true;            ///< z0 is an argument
  bool only_with_gradients = false;  ///< without, it is f itself
};

Map tanh_of(const Tensor& w, const Tensor& x) {
  return [=](const Tensor& z) { return torch::tanh(z.matmul(w) + x); };
}

Layer solved_by(const FixedPointOptions& options) {
  return [=](const Tensor& w, const Tensor& x, const Tensor& z0) {
    return fixed_point(tanh_of(w, x), z0, options).value;
  };
}

Tensor found_root(const Tensor& w, const Tensor& x, const Tensor& z0) {
  return root([=](const Tensor& z) { return z - torch::tanh(z.matmul(w) + x); }, z0).value;
}

Tensor tuple(const Tensor& w, const Tensor& x, const Tensor& z0) {
  const TupleMap f = [=](const std::vector<Tensor>& z) {
    return std::vector<Tensor>{torch::tanh(z[1].matmul(w) + x), 0.5 * z[0]};
  };
  return fixed_point(f, {z0, z0}).value[0];
}

Tensor with_inputs(const Tensor& w, const Tensor& x, const Tensor& z0) {
  const MapWithInputs f = [=](const Tensor& z, const std::vector<Tensor>& in) {
    return torch::tanh(z.matmul(w) + in[0]);
  };
  return fixed_point({f, {x}}, z0).value;
}

Tensor linear(const Tensor& w, const Tensor& x, const Tensor&) {
  return linear_solve({.product = [=](const Tensor& v) { return v.matmul(w); }, .identity_minus = true}, x)
      .value;
}

Tensor matrix(const Tensor& w, const Tensor& x, const Tensor&) {
  return linear_solve(torch::eye(4, x.options()) - w, x).value;
}

Tensor attached(const Tensor& w, const Tensor& x, const Tensor& z0) {
  return implicit(tanh_of(w, x), z0, {.solver = Gmres{}});
}

Tensor monotone(const Tensor& w, const Tensor& x, const Tensor& z0) {
  nn::MonotoneLinear layer(4, 4, nn::MonotoneOptions{.solve = {.solver = Anderson{}}});
  layer->to(torch::kDouble);
  for (Tensor& each : layer->parameters()) each.set_requires_grad(false);
  layer->b = w;
  return layer->forward(x, z0);
}

std::vector<Verb> verbs() {
  return {{"fixed point", solved_by({})},
          {"unrolled", solved_by({.solver = Picard{}, .gradient = UnrolledGradient{}})},
          {"reversible", solved_by({.solver = Reversible{}, .gradient = ReversibleGradient{}})},
          {"root", found_root},
          {"tuple", tuple},
          {"with inputs", with_inputs},
          {"monotone", monotone},
          {"implicit", attached, true, true},
          {"linear solve", linear, false},
          {"matrix", matrix, false},
          {"recompute",
           [](const Tensor& w, const Tensor& x, const Tensor& z0) { return recompute(tanh_of(w, x), z0); },
           true, true}};
}

class Transforms : public testing::Test {
 protected:
  // Each verb, with gradients on and off.
  template <class Check>
  void for_each_verb(const Check& check) {
    for (const Verb& verb : verbs()) {
      for (const bool gradients : {true, false}) {
        if (!gradients && verb.only_with_gradients) continue;
        SCOPED_TRACE(verb.name + (gradients ? ", gradients on" : ", gradients off"));
        const torch::AutoGradMode mode(gradients);
        verb.layer(w_, x_, z0_);  // is right outside of any transform
        check(verb);
      }
    }
  }

  const Tensor w_ = (0.2 * normal({4, 4})).requires_grad_();
  const Tensor x_ = normal({3, 4}).requires_grad_();
  const Tensor z0_ = zeros({3, 4});
};

TEST_F(Transforms, TracingIsRefused) {
  for_each_verb([&](const Verb& verb) {
    const auto traced = [&](torch::jit::Stack stack) -> torch::jit::Stack {
      return {verb.layer(stack[0].toTensor(), stack[1].toTensor(), z0_)};
    };
    expect_error(
        [&] {
          torch::jit::tracer::trace({w_, x_}, traced, [](const Tensor&) { return std::string(); });
        },
        "script or trace the cell");
  });
}

// What the error advises: a scripted cell, in a layer. (With matmul in the place of mm, the optimized
// TorchScript of LibTorch 2.6 fails in its own backward pass, without a layer, too.)
TEST_F(Transforms, AScriptedCellGoesIntoALayer) {
  torch::jit::Module cell("cell");
  cell.register_parameter("w", w_, /*is_buffer=*/false);
  cell.define("def forward(self, z, x):\n  return torch.tanh(torch.mm(z, self.w) + x)\n");
  const auto gradients = [&](const Map& f) {
    return torch::autograd::grad({fixed_point(f, z0_).value.square().sum()}, {w_, x_});
  };
  const auto expected = gradients(tanh_of(w_, x_));
  for (int run = 0; run < 4; ++run) {  // the first ones are profiled, the later ones optimized
    const auto got = gradients([&](const Tensor& z) { return cell.forward({z, x_}).toTensor(); });
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(close(got[i], expected[i], 1e-12));
  }
}

TEST_F(Transforms, ForwardModeIsRefused) {
  const std::uint64_t level = torch::autograd::forward_ad::enter_dual_level();
  const auto dual = [&](const Tensor& t) { return torch::_make_dual(t, torch::ones_like(t), 0); };
  for_each_verb([&](const Verb& verb) {
    const std::string advice = "stillpoint::jvp";
    expect_error([&] { verb.layer(dual(w_), x_, z0_); }, advice);
    expect_error([&] { verb.layer(w_, dual(x_), z0_); }, advice);
    expect_error([&] { verb.layer(dual(w_.detach()), x_.detach(), z0_); }, advice);
    if (verb.from_start) expect_error([&] { verb.layer(w_, x_, dual(z0_)); }, advice);
  });
  torch::autograd::forward_ad::exit_dual_level(level);
}

// A tangent that arrives in the backward pass alone.
TEST_F(Transforms, ForwardModeOfAGradientIsRefused) {
  const std::uint64_t level = torch::autograd::forward_ad::enter_dual_level();
  const Tensor g = torch::_make_dual(torch::ones_like(x_), torch::ones_like(x_), 0);
  for (const Verb& verb : verbs()) {
    if (verb.name == "unrolled") continue;  // LibTorch's own nodes do it
    SCOPED_TRACE(verb.name);
    const Tensor z = verb.layer(w_, x_, z0_);
    expect_error([&] { torch::autograd::grad({z}, {w_}, {g}); }, "gradient: expected a plain tensor");
  }
  torch::autograd::forward_ad::exit_dual_level(level);
}

// What the error advises.
TEST_F(Transforms, JvpGivesTheProductThroughALayer) {
  const Tensor v = normal({3, 4});
  const auto layer = [&](const Tensor& x) { return fixed_point(tanh_of(w_, x), z0_).value; };
  const double h = 1e-5;
  const Tensor difference = (layer(x_ + h * v) - layer(x_ - h * v)) / (2 * h);
  EXPECT_TRUE(close(jvp(layer, x_, v).product, difference, 1e-8));
}

TEST_F(Transforms, VmapOfFunctorchIsRefused) {
  using namespace at::functorch;
  const std::int64_t level = initAndPushDynamicLayer(TransformType::Vmap, 5, RandomnessType::Same);
  const auto batched = [&](const Tensor& t) {
    return makeBatched(t.detach().expand({5, t.size(0), t.size(1)}), 0, level);
  };
  for_each_verb([&](const Verb& verb) {
    const std::string advice = "write the batch as the first dimension";
    expect_error([&] { verb.layer(batched(w_), x_, z0_); }, advice);
    expect_error([&] { verb.layer(w_, batched(x_), z0_); }, advice);
    if (verb.from_start) expect_error([&] { verb.layer(w_, x_, batched(z0_)); }, advice);
  });
  popDynamicLayerAndDeleteMetadata();
}

#if TORCH_VERSION_MAJOR < 2
TEST_F(Transforms, VmapOfOldIsRefused) {
  const auto batched = [&](const Tensor& t) {
    return at::_add_batch_dim(t.detach().expand({5, t.size(0), t.size(1)}), 0, 1);
  };
  for_each_verb([&](const Verb& verb) {
    const std::string advice = "write the batch as the first dimension";
    expect_error([&] { verb.layer(batched(w_), x_, z0_); }, advice);
    expect_error([&] { verb.layer(w_, batched(x_), z0_); }, advice);
    if (verb.from_start) expect_error([&] { verb.layer(w_, x_, batched(z0_)); }, advice);
  });
}
#endif

}  // namespace
}  // namespace stillpoint::test
