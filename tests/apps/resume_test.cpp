#include "resume.h"

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "support.h"

// A run in pieces learns what it would have learned in one, or is refused.

namespace stillpoint::app::testing {
namespace {

class Resuming : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    fs::create_directory(other_data);
    put_dataset(other_data, 210, 100);
  }

  /// The variants of the report.
  nlohmann::json run(const std::string& options) {
    const auto path = directory / "report.json";
    const auto run = run_program("train --threads 1 --report " + path.string() + " " + options);
    EXPECT_EQ(run.status, 0) << run.err;
    return nlohmann::json::parse(get(path))["variants"];
  }
  /// What was learned: the losses of all epochs of all variants.
  static std::vector<double> losses(const nlohmann::json& variants) {
    std::vector<double> all;
    for (const auto& variant : variants) {
      for (const auto& epoch : variant["epochs"]) {
        all.push_back(epoch["train_loss"]);
        all.push_back(epoch["test_loss"]);
      }
    }
    return all;
  }
  void refuse(const std::string& options, const std::string& says) {
    expect_one_line_error(run_program("train --load " + saved + " " + options), says);
  }

  fs::path other_data = directory / "other-data";
  std::string images = "--data " + data.string() + " ";
  std::string saved = (directory / "saved").string();
};

TEST_F(Resuming, TakesDataAndExamplesFromTheCheckpoint) {
  const auto options = images + "--examples 150 --test-examples 50 --variants picard-implicit ";
  const auto at_once = run(options + "--epochs 2");
  run(options + "--epochs 1 --save " + saved);
  const auto in_pieces = run("--epochs 2 --load " + saved);
  EXPECT_EQ(losses(in_pieces), losses(at_once));
  EXPECT_EQ(losses(in_pieces).size(), 4U);
}

// Adam's state is in the checkpoint, too.
TEST_F(Resuming, TrainsUpToTheEpochsThatAreNamed) {
  const auto options = images + "--model monotone --variants peaceman-rachford ";
  const auto at_once = losses(run(options + "--epochs 3"));
  run(options + "--epochs 1 --save " + saved);
  run("--epochs 2 --load " + saved + " --save " + saved);
  EXPECT_EQ(losses(run("--epochs 3 --load " + saved + " --save " + saved)), at_once);
  EXPECT_EQ(losses(run("--epochs 3 --load " + saved)), at_once);
  EXPECT_EQ(losses(run("--load " + saved)), at_once);
  EXPECT_EQ(losses(run("--epochs 0 --load " + saved)), at_once) << "it only evaluates";
}

// An interrupted comparison is finished by one command: here after one epoch of the first of two variants,
// with steps along a cosine over three.
TEST_F(Resuming, FinishesAComparison) {
  at::set_num_threads(1);
  const auto at_once = run("--model jacobian-toy --variants gamma-0,gamma-2 --epochs 3");
  Checkpoint models{.run = {.experiment = &experiment("jacobian-toy"), .seed = 1, .epochs = 3},
                    .variants = {}};
  const auto examples = load_examples({}, models.run, torch::kCPU);
  for (const char* name : {"gamma-0", "gamma-2"}) {
    models.variants.push_back(new_variant(*models.run.experiment, name, 1));
  }
  auto& first = models.variants.front();
  first.epochs.push_back(Trainer(*models.run.experiment, examples, 1)
                             .run_epoch(first, models.run.epochs, [](double, const Pass&) {}));
  save_checkpoint(saved, models);
  const auto in_pieces = run("--load " + saved);
  EXPECT_EQ(losses(in_pieces), losses(at_once));
  EXPECT_EQ(losses(in_pieces).size(), 12U);
}

TEST_F(Resuming, RefusesOtherEpochsWhereStepsDependOnThem) {
  run("--model jacobian-toy --variants gamma-0 --epochs 1 --save " + saved);
  refuse("--epochs 2", "--epochs 2: " + saved + " was trained with steps that get smaller towards epoch 1");
  EXPECT_EQ(losses(run("--epochs 0 --load " + saved)).size(), 2U);
}

// Nothing is trained yet, so nothing differs.
TEST_F(Resuming, TakesAnyEpochsForWhatIsUntrained) {
  const auto at_once = run("--model jacobian-toy --variants gamma-0 --epochs 1");
  run("--model jacobian-toy --variants gamma-0 --epochs 0 --save " + saved);
  EXPECT_EQ(losses(run("--epochs 1 --load " + saved)), losses(at_once));
}

TEST_F(Resuming, RefusesWhatDiffers) {
  run(images + "--examples 150 --epochs 1 --variants picard-implicit --save " + saved);
  refuse("--variants newton-implicit", "newton-implicit");
  refuse("--seed 5", "--seed 5: " + saved + " was made with --seed 1");
  refuse("--model monotone", "--model monotone: " + saved + " was made with --model fixed-point");
  refuse("--examples 151", "--examples 151: " + saved + " was made with --examples 150");
  refuse("--test-examples 50", "--test-examples 50: " + saved + " was made with --test-examples 100");
  refuse("--data " + other_data.string(),
         "was trained on other examples than those of " + other_data.string());
}

TEST_F(Resuming, KnowsItsDataWhereverTheyAre) {
  const auto before = run(images + "--epochs 1 --variants picard-implicit --save " + saved);
  const auto moved = directory / "moved";
  fs::rename(data, moved);
  refuse("", "no train-images-idx3-ubyte");
  EXPECT_EQ(losses(run("--load " + saved + " --data " + moved.string())), losses(before));
  fs::rename(other_data, data);
  refuse("", "was trained on other examples than those of " + data.string());
}

}  // namespace
}  // namespace stillpoint::app::testing
