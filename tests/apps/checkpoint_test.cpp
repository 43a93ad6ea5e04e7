#include "checkpoint.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "support.h"

namespace stillpoint::app::testing {
namespace {

Checkpoint two_variants() {
  const Pass train{.error = 0.25, .loss = 0.5, .iterations = 20, .backward_iterations = 11.5, .seconds = 3};
  Checkpoint checkpoint{.run = {.experiment = &experiment("fixed-point"),
                                .seed = 18'446'744'073'709'551'615U,
                                .epochs = 7,
                                .data = "/not in UTF-8: \xff",
                                .train_examples = 60'000,
                                .test_examples = 10'000,
                                .checksum = 0xfedcba98},
                        .variants = {}};
  for (const char* name : {"picard-implicit", "newton-implicit"}) {
    checkpoint.variants.push_back(new_variant(*checkpoint.run.experiment, name, 3));
    checkpoint.variants.back().epochs = {{1, train, {}}, {2, train, {}}};
  }
  return checkpoint;
}

void expect_equal(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_EQ(a.run.experiment, b.run.experiment);
  EXPECT_EQ(a.run.seed, b.run.seed);
  EXPECT_EQ(a.run.epochs, b.run.epochs);
  EXPECT_EQ(a.run.data, b.run.data);
  EXPECT_EQ(a.run.train_examples, b.run.train_examples);
  EXPECT_EQ(a.run.test_examples, b.run.test_examples);
  EXPECT_EQ(a.run.checksum, b.run.checksum);
  ASSERT_EQ(a.variants.size(), b.variants.size());
  for (std::size_t i = 0; i < a.variants.size(); ++i) {
    EXPECT_EQ(a.variants[i].name, b.variants[i].name);
    EXPECT_EQ(a.variants[i].epochs.size(), b.variants[i].epochs.size());
    const auto weights = a.variants[i].network->named_parameters();
    const auto others = b.variants[i].network->named_parameters();
    ASSERT_EQ(weights.size(), 5U);
    for (const auto& weight : weights) {
      EXPECT_TRUE(weight.value().equal(others[weight.key()])) << weight.key();
    }
  }
}

class CheckpointFile : public ::testing::Test {
 protected:
  void expect_unreadable() {
    expect_user_error([&] { load_checkpoint(path, torch::kCPU); },
                      {path.string(), "not a checkpoint", "--save"});
  }

  TemporaryDirectory directory;
  fs::path path = directory / "checkpoint";
};

TEST_F(CheckpointFile, GivesBackWhatWasSaved) {
  const auto saved = two_variants();
  save_checkpoint(path, saved);
  const auto loaded = load_checkpoint(path, torch::kCPU);
  expect_equal(saved, loaded);
  EXPECT_EQ(loaded.variants[1].epochs[1].number, 2);
  EXPECT_EQ(loaded.variants[1].epochs[1].train.backward_iterations, 11.5);
}

TEST_F(CheckpointFile, KnowsTheWidth) {
  const auto& narrow = experiment("ode-net", 8);
  Checkpoint saved{.run = {.experiment = &narrow, .seed = 1}, .variants = {}};
  saved.variants.push_back(new_variant(narrow, "none", 1));
  save_checkpoint(path, saved);
  EXPECT_EQ(load_checkpoint(path, torch::kCPU).run.experiment, &narrow);
}

// Buffers and the optimizer's state, too: what comes next is the same.
TEST_F(CheckpointFile, HoldsWhatEveryModelNeedsToGoOn) {
  for (const auto& each : experiments()) {
    const auto& name = each.variants.front().name;
    const auto inputs = sample_inputs(each, 2);
    Checkpoint saved{.run = {.experiment = &each, .seed = 1}, .variants = {}};
    saved.variants.push_back(new_variant(each, name, 1));
    const auto step = [&](TrainedVariant& variant) {
      variant.network->train();
      const auto loss = variant.network->forward(inputs).square().mean();
      variant.optimizer->zero_grad();
      loss.backward();
      variant.optimizer->step();
      return loss.item<double>();
    };
    step(saved.variants[0]);
    save_checkpoint(path, saved);
    auto loaded = load_checkpoint(path, torch::kCPU);
    EXPECT_EQ(loaded.run.experiment->name, each.name);
    ASSERT_EQ(loaded.variants.size(), 1U);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(step(loaded.variants[0]), step(saved.variants[0])) << each.name << ", step " << i;
    }
    loaded.variants[0].network->eval();
    saved.variants[0].network->eval();
    EXPECT_TRUE(loaded.variants[0].network->forward(inputs).equal(saved.variants[0].network->forward(inputs)))
        << each.name;
  }
}

TEST_F(CheckpointFile, RefusesAFileThatIsMissing) {
  expect_user_error([&] { load_checkpoint(path, torch::kCPU); }, {path.string(), "cannot read"});
}

TEST_F(CheckpointFile, RefusesWhatIsNoCheckpoint) {
  for (const auto& bytes : {std::string(), std::string("text"), std::string(10'000, '\0')}) {
    put(path, bytes);
    expect_unreadable();
  }
}

TEST_F(CheckpointFile, RefusesAnArchiveOfAnotherProgram) {
  torch::serialize::OutputArchive archive;
  archive.write("weight", torch::ones({2, 2}));
  archive.save_to(path.string());
  expect_unreadable();
}

TEST_F(CheckpointFile, RefusesWeightsOfAnotherShape) {
  auto checkpoint = two_variants();
  auto weight = checkpoint.variants[0].network->named_parameters()["decoder.weight"];
  weight.set_data(torch::ones({3, 3}));
  save_checkpoint(path, checkpoint);
  expect_unreadable();
}

TEST_F(CheckpointFile, RefusesATruncatedFile) {
  save_checkpoint(path, two_variants());
  const auto whole = get(path);
  for (const double part : {0.01, 0.3, 0.7, 0.99, 0.9999}) {
    put(path, whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
    expect_unreadable();
  }
}

TEST_F(CheckpointFile, RefusesADamagedByteWhereverItIs) {
  save_checkpoint(path, two_variants());
  const auto whole = get(path);
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 97) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    put(path, damaged);
    expect_unreadable();
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
