#include <torch/types.h>

#include <algorithm>
#include <limits>

#include "gradient_error.h"
#include "stillpoint/equations/gradients/unrolled_gradient.h"
#include "stillpoint/equations/solvers/picard.h"
#include "support.h"
#include "user_error.h"

// The networks that the models compare, and how they are scored.

namespace stillpoint::app::testing {
namespace {

TEST(Networks, GiveWhatTheirTaskAsksFor) {
  const torch::NoGradGuard no_grad;
  for (const auto& each : experiments()) {
    for (const auto& variant : each.variants) {
      SCOPED_TRACE(each.name + ", " + variant.name);
      const auto outputs = variant.make(each.width)->forward(sample_inputs(each, 3));
      switch (each.task) {
        case Task::Choices:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 8}));
          EXPECT_TRUE(outputs.ge(0).logical_and(outputs.le(1)).all().item<bool>());
          break;
        case Task::Shares:
          EXPECT_TRUE(outputs.sum(1).allclose(torch::ones(3)));
          EXPECT_TRUE(outputs.ge(0).all().item<bool>());
          [[fallthrough]];
        case Task::Classes:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 10}));
          break;
        case Task::Characters:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 64, 256}));
          break;
        case Task::Trajectories:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 10, 2}));
          break;
        case Task::Signals:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 100}));
          break;
        case Task::Boards:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 64}));
          break;
        case Task::Numbers:
          EXPECT_EQ(outputs.size(0), 3);
          EXPECT_EQ(outputs.size(1), each.name == "bouncing-ball" ? 4 : 1);
      }
    }
  }
}

// New networks have equilibria: every model can begin to train.
TEST(Networks, ConvergeAtTheBeginning) {
  const torch::NoGradGuard no_grad;
  for (const auto& each : experiments()) {
    for (const auto& variant : each.variants) {
      torch::manual_seed(1);
      const auto network = variant.make(each.width);
      network->forward(sample_inputs(each, 8));
      if (const auto cost = network->cost()) {
        EXPECT_EQ(std::ranges::count(cost->solved, false), 0) << each.name << ", " << variant.name;
      }
    }
  }
}

TEST(Networks, EquilibriumAndOneBlockHaveTheSameParameters) {
  const auto count = [](const char* name) {
    std::int64_t sum = 0;
    for (const auto& parameter : experiment("transformer").variant(name).make(0)->parameters()) {
      sum += parameter.numel();
    }
    return sum;
  };
  EXPECT_EQ(count("equilibrium"), count("explicit-1"));
  EXPECT_GT(count("explicit-12"), 6 * count("explicit-1"));
}

// As published, or counted from what is: with a middle of nothing, an ODE, or six residual blocks.
TEST(Networks, OfImagesHaveAsManyParametersAsPublished) {
  const auto count = [](const char* name, std::int64_t width) {
    std::int64_t sum = 0;
    for (const auto& parameter : experiment("ode-net").variant(name).make(width)->parameters()) {
      sum += parameter.numel();
    }
    return sum;
  };
  EXPECT_EQ(count("ode-net", 64), 208'266);
  EXPECT_EQ(count("ode-net-backsolve", 64), 208'266);
  EXPECT_EQ(count("rk-net", 64), 208'266);
  EXPECT_EQ(count("resnet", 64), 576'778);
  EXPECT_EQ(count("none", 64), 132'874);
  EXPECT_LT(count("ode-net", 16), 208'266 / 12);
  EXPECT_EQ(&experiment("ode-net"), &experiment("ode-net", 64));
  EXPECT_EQ(experiment("ode-net", 16).width, 16);
  EXPECT_THROW(experiment("spiral", 16), UserError);
}

TEST(Networks, ReadATextFromTheLeft) {
  const torch::NoGradGuard no_grad;
  const auto& transformer = experiment("transformer");
  const auto bytes = sample_inputs(transformer, 1);
  auto later = bytes.clone();
  later.slice(1, 40) = 0;
  for (const auto& variant : transformer.variants) {
    const auto network = variant.make(0);
    const auto before = network->forward(bytes), after = network->forward(later);
    EXPECT_LT((before - after).slice(1, 0, 40).abs().max().item<double>(), 1e-2) << variant.name;
    EXPECT_GT((before - after).slice(1, 40).abs().max().item<double>(), 1e-1) << variant.name;
  }
}

Examples sample_examples(const Experiment& each, std::int64_t count) {
  const auto inputs = sample_inputs(each, count);
  switch (each.task) {
    case Task::Classes:
    case Task::Shares:
      return {inputs, torch::arange(count)};
    case Task::Choices:
      return {inputs, torch::arange(8).expand({count, 8})};
    case Task::Characters:
      return {inputs, inputs.roll(-1, 1)};
    case Task::Trajectories:
      return {inputs, torch::rand({count, 10, 2})};
    case Task::Boards:
    case Task::Signals:
      return {inputs, inputs};
    case Task::Numbers:
      break;
  }
  return {inputs, inputs.square()};
}

// In double precision, solved to 1e-10, against plain iteration that autograd records. (Of the monotone
// networks, for which that diverges, the layers are tested with the library.)
TEST(Networks, HaveTheGradientsOfTheUnrolledIteration) {
  for (const char* name : {"conv-deq", "transformer", "jacobian-toy"}) {
    SCOPED_TRACE(name);
    const auto& each = experiment(name);
    const auto [inputs, targets] = sample_examples(each, 3);
    const auto in_double = [](const at::Tensor& t) {
      return t.is_floating_point() ? t.to(torch::kDouble) : t;
    };
    torch::manual_seed(1);
    const auto network = each.variants.front().make(each.width);
    network->to(torch::kDouble);
    const auto gradient_with = [&](const FixedPointOptions& options) {
      *network->solve_options() = options;
      const auto loss = losses(each.task, network->forward(in_double(inputs)), in_double(targets)).mean();
      EXPECT_LT(network->stats()->max_residual(), 1e-6) << network->stats()->brief();
      return torch::autograd::grad({loss}, network->parameters());
    };
    const auto implicit = gradient_with(each.reference);
    const auto unrolled = gradient_with({.solver = Picard{},
                                         .gradient = UnrolledGradient{},
                                         .tolerance = {.relative = 0.0, .absolute = 0.0},
                                         .max_iterations = 150,
                                         .on_failure = OnFailure::Ignore});
    double largest = 0;
    for (const auto& g : unrolled) {
      largest = std::max(largest, g.abs().max().item<double>());
    }
    for (std::size_t i = 0; i < unrolled.size(); ++i) {
      EXPECT_LT((implicit[i] - unrolled[i]).abs().max().item<double>(), 1e-5 * largest) << i;
    }
  }
}

TEST(GradientError, IsThatOfTheTolerance) {
  const auto& monotone = experiment("monotone");
  const auto variant = new_variant(monotone, "peaceman-rachford", 1);
  const auto error = gradient_error(monotone, variant, sample_examples(monotone, 8));
  ASSERT_TRUE(error.has_value());
  EXPECT_LT(*error, 0.05);
  EXPECT_GT(*error, 1e-7) << "float against double";
}

TEST(GradientError, IsNoneWhereTheGradientIsNoNumber) {
  const auto& transformer = experiment("transformer");
  for (const char* name : {"explicit-1", "equilibrium"}) {
    const auto variant = new_variant(transformer, name, 1);
    torch::NoGradGuard no_grad;
    variant.network->parameters().back().fill_(std::numeric_limits<float>::quiet_NaN());
    const torch::AutoGradMode grad(true);
    EXPECT_FALSE(gradient_error(transformer, variant, sample_examples(transformer, 2)).has_value()) << name;
  }
}

TEST(Networks, PenaltyIsTheJacobians) {
  const auto penalty = [&](const char* model, const std::string& variant) {
    const auto& each = experiment(model);
    const auto inputs = sample_inputs(each, 5);
    torch::manual_seed(3);
    const auto network = each.variant(variant).make(each.width);
    network->forward(inputs);
    torch::manual_seed(4);
    return network->penalty();
  };
  for (const char* model : {"jacobian-toy", "conv-deq", "mdeq"}) {
    SCOPED_TRACE(model);
    EXPECT_FALSE(penalty(model, "gamma-0").defined());
    const auto regularized = penalty(model, experiment(model).variants[1].name);
    EXPECT_GT(regularized.item<double>(), 0.0);
    EXPECT_TRUE(regularized.requires_grad());
  }
  EXPECT_NEAR(penalty("jacobian-toy", "gamma-4").item<double>(),
              2 * penalty("jacobian-toy", "gamma-2").item<double>(), 1e-6);
}

TEST(Networks, CopyWeightsAndBuffers) {
  const auto& conv = experiment("conv-deq");
  const auto from = conv.variants.front().make(conv.width), to = conv.variants.front().make(conv.width);
  const auto inputs = sample_inputs(conv, 2);
  {
    const torch::NoGradGuard no_grad;
    from->forward(inputs);  // moves the batch norms' averages
  }
  copy_weights(*from, *to);
  from->eval();
  to->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(from->forward(inputs).equal(to->forward(inputs)));
}

TEST(Experiments, AreFoundByName) {
  EXPECT_EQ(experiment_names(), (std::vector<std::string>{
                                    "fixed-point", "monotone", "monotone-conv", "conv-deq", "mdeq",
                                    "transformer", "jacobian-toy", "spiral", "lotka-volterra",
                                    "bouncing-ball", "ode-net", "sudoku", "denoise", "projection", "top-k"}));
  expect_user_error([] { experiment("deq"); }, {"deq", "fixed-point"});
  expect_user_error([] { experiment("mdeq").variant("newton"); }, {"mdeq", "newton", "gamma-0.5"});
}

TEST(Tasks, AreScoredAsTheySay) {
  const auto logits = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto labels = torch::tensor({0, 0});
  const auto expected = torch::tensor({std::log1p(std::exp(-2.0)), 3 + std::log1p(std::exp(-3.0))});
  EXPECT_TRUE(losses(Task::Classes, logits, labels).allclose(expected));
  EXPECT_TRUE(errors(Task::Classes, logits, labels).equal(torch::tensor({0.0, 1.0}, torch::kDouble)));
  const auto text = losses(Task::Characters, logits.unsqueeze(0), labels.unsqueeze(0));
  EXPECT_TRUE(text.allclose(expected.mean().unsqueeze(0)));
  EXPECT_EQ(errors(Task::Characters, logits.unsqueeze(0), labels.unsqueeze(0))[0].item<double>(), 0.5);
  const auto numbers = losses(Task::Numbers, torch::tensor({{1.0}, {2.0}}), torch::tensor({{1.5}, {0.0}}));
  EXPECT_TRUE(numbers.allclose(torch::tensor({0.25, 4.0})));
}

TEST(Tasks, SharesAreScoredByTheirSquares) {
  const auto shares = torch::tensor({{1.0, 0.0, 0.0}, {0.25, 0.5, 0.25}});
  const auto labels = torch::tensor({0, 2});
  EXPECT_TRUE(losses(Task::Shares, shares, labels).allclose(torch::tensor({0.0, 0.875})));
  EXPECT_TRUE(errors(Task::Shares, shares, labels).equal(torch::tensor({0.0, 1.0}, torch::kDouble)));
}

TEST(Tasks, ChoicesAreRightIfAllAre) {
  const auto digits = torch::tensor({{1, 9, 0, 7, 8, 1, 2, 3}, {9, 8, 7, 6, 5, 4, 3, 2}});
  const auto wanted = torch::tensor({{0, 1, 0, 1, 1, 0, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0}}).to(torch::kFloat);
  EXPECT_TRUE(choices(digits).equal(wanted));
  auto outputs = 0.25 + 0.5 * wanted;
  EXPECT_TRUE(errors(Task::Choices, outputs, digits).equal(torch::zeros(2, torch::kDouble)));
  outputs[1][2] = 0.2;
  EXPECT_TRUE(errors(Task::Choices, outputs, digits).equal(torch::tensor({0.0, 1.0}, torch::kDouble)));
  EXPECT_NEAR(losses(Task::Choices, outputs, digits)[0].item<double>(), 0.0625, 1e-7);
}

TEST(Tasks, ABoardIsWrongIfARowColumnOrBlockIs) {
  const auto board = [](const std::string& digits) {
    std::vector<std::int64_t> cells;
    for (const char digit : digits) cells.push_back(digit - '1');
    return torch::one_hot(torch::tensor(cells), 4).to(torch::kFloat).flatten();
  };
  const auto boards =
      torch::stack({board("1234341221434321"), board("1234341221434312"),    // the last row's order
                    board("1234123412341234"), board("1234234134124123")});  // columns; blocks
  EXPECT_TRUE(
      errors(Task::Boards, boards, boards).equal(torch::tensor({0.0, 1.0, 1.0, 1.0}, torch::kDouble)));
  const auto loss = losses(Task::Boards, boards, boards[0].expand_as(boards));
  EXPECT_TRUE(loss.slice(0, 0, 2).allclose(torch::tensor({0.0, 4.0 / 64})));
}

}  // namespace
}  // namespace stillpoint::app::testing
