#include <torch/types.h>

#include <algorithm>

#include "gradient_error.h"
#include "monotone_network.h"
#include "support.h"

// The networks that the models compare, and how they are scored.

namespace stillpoint::app::testing {
namespace {

TEST(Networks, GiveWhatTheirTaskAsksFor) {
  const torch::NoGradGuard no_grad;
  for (const auto& each : experiments()) {
    for (const auto& variant : each.variants) {
      SCOPED_TRACE(each.name + ", " + variant.name);
      const auto outputs = variant.make()->forward(sample_inputs(each, 3));
      switch (each.task) {
        case Task::Classes:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 10}));
          break;
        case Task::Characters:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 64, 256}));
          break;
        case Task::Numbers:
          EXPECT_EQ(outputs.sizes(), (c10::IntArrayRef{3, 1}));
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
      const auto network = variant.make();
      network->forward(sample_inputs(each, 8));
      if (network->stats() != nullptr) {
        EXPECT_TRUE(network->stats()->converged())
            << each.name << ", " << variant.name << ": " << network->stats()->brief();
      }
    }
  }
}

TEST(Networks, EquilibriumAndOneBlockHaveTheSameParameters) {
  const auto count = [](const char* name) {
    std::int64_t sum = 0;
    for (const auto& parameter : experiment("transformer").variant(name).make()->parameters()) {
      sum += parameter.numel();
    }
    return sum;
  };
  EXPECT_EQ(count("equilibrium"), count("explicit-1"));
  EXPECT_GT(count("explicit-12"), 6 * count("explicit-1"));
}

TEST(Networks, ReadATextFromTheLeft) {
  const torch::NoGradGuard no_grad;
  const auto& transformer = experiment("transformer");
  const auto bytes = sample_inputs(transformer, 1);
  auto later = bytes.clone();
  later.slice(1, 40) = 0;
  for (const auto& variant : transformer.variants) {
    const auto network = variant.make();
    const auto before = network->forward(bytes), after = network->forward(later);
    EXPECT_LT((before - after).slice(1, 0, 40).abs().max().item<double>(), 1e-2) << variant.name;
    EXPECT_GT((before - after).slice(1, 40).abs().max().item<double>(), 1e-1) << variant.name;
  }
}

TEST(Networks, GradientsAreNearTheExactOnes) {
  for (const auto& each : experiments()) {
    const auto inputs = sample_inputs(each, 4);
    const auto targets = each.task == Task::Classes      ? torch::arange(4)
                         : each.task == Task::Characters ? inputs.roll(-1, 1)
                                                         : inputs.square();
    const auto& name = each.variants.front().name;
    const auto error = gradient_error(each, new_variant(each, name, 1), {inputs, targets});
    ASSERT_TRUE(error.has_value()) << each.name;
    EXPECT_LT(*error, 0.05) << each.name;
  }
}

TEST(Networks, PenaltyIsTheJacobians) {
  const auto& toy = experiment("jacobian-toy");
  const auto inputs = sample_inputs(toy, 5);
  const auto penalty = [&](const char* name) {
    torch::manual_seed(3);
    const auto network = toy.variant(name).make();
    network->forward(inputs);
    torch::manual_seed(4);
    return network->penalty();
  };
  EXPECT_FALSE(penalty("gamma-0").defined());
  EXPECT_GT(penalty("gamma-2").item<double>(), 0.0);
  EXPECT_NEAR(penalty("gamma-4").item<double>(), 2 * penalty("gamma-2").item<double>(), 1e-6);
  EXPECT_TRUE(penalty("gamma-2").requires_grad());
}

TEST(Networks, CopyWeightsAndBuffers) {
  const auto& conv = experiment("conv-deq");
  const auto from = conv.variants.front().make(), to = conv.variants.front().make();
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
  EXPECT_EQ(experiment_names(),
            (std::vector<std::string>{"fixed-point", "monotone", "monotone-conv", "conv-deq", "mdeq",
                                      "transformer", "jacobian-toy"}));
  expect_user_error([] { experiment("deq"); }, {"deq", "fixed-point"});
  expect_user_error([] { experiment("mdeq").variant("newton"); }, {"mdeq", "newton", "anderson-implicit"});
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

}  // namespace
}  // namespace stillpoint::app::testing
