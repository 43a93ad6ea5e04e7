#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support.h"
#include "trainer.h"

// The main job, whole, on images that are easy to learn.

namespace stillpoint::app::testing {
namespace {

std::string device() {
  const char* name = std::getenv("STILLPOINT_TEST_DEVICE");
  return name == nullptr ? "cpu" : name;
}

TEST(Training, LearnsWithEachVariant) {
  const TemporaryDirectory directory;
  put_dataset(directory.path(), 800, 200);
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run = run_program("train --threads 1 --epochs 4 --seed 2 --device " + device() + " --data " +
                               directory.path().string() + " --report " + report_path.string() + " --plot " +
                               plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(run.out.find_first_of("\r\x1b\b"), std::string::npos) << run.out;

  const auto report = nlohmann::json::parse(get(report_path));
  const auto picture = get(plot_path);
  const auto names = experiment("fixed-point").variant_names();
  ASSERT_EQ(report["variants"].size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& variant = report["variants"][i];
    SCOPED_TRACE(variant.dump(1));
    const auto name = variant["name"].get<std::string>();
    EXPECT_EQ(name, names[i]);
    EXPECT_NE(run.out.find(name), std::string::npos);
    EXPECT_NE(picture.find(name), std::string::npos);
    EXPECT_LE(variant["test_error"].get<double>(), 0.01);
    EXPECT_LT(variant["gradient_error"].get<double>(), 1e-4);
    EXPECT_GT(variant["forward_iterations"].get<double>(), 1);
    EXPECT_EQ(variant["backward_iterations"].is_null(), name == "picard-unrolled");
    ASSERT_EQ(variant["epochs"].size(), 4U);
    EXPECT_LT(variant["epochs"][3]["train_loss"], variant["epochs"][0]["train_loss"]);
    for (const auto& epoch : variant["epochs"]) {
      EXPECT_EQ(epoch["unconverged"], 0);
      EXPECT_EQ(epoch["backward_unconverged"], 0);
      EXPECT_EQ(epoch["test_unconverged"], 0);
    }
  }
  const auto& variant = report["variants"];
  EXPECT_LT(variant[1]["peak_bytes"], variant[0]["peak_bytes"]) << "implicit needs less memory than unrolled";
  EXPECT_LT(variant[3]["forward_iterations"], variant[1]["forward_iterations"])
      << "Newton needs fewer than Picard";
}

// A sample that is no fixed point has no implicit gradient, so here, where none converges, nothing is
// learned.
TEST(Training, LeavesOutSamplesThatDidNotConverge) {
  const TemporaryDirectory directory;
  put_dataset(directory.path(), 200, 100);
  const auto data = load_images(directory.path(), torch::Device(device()));
  const auto& main_job = experiment("fixed-point");
  auto variant = new_variant(main_job, "picard-implicit", 1);
  variant.network->solve_options()->max_iterations = 1;
  variant.network->solve_options()->tolerance = {.relative = 0.0, .absolute = 1e-30};
  variant.network->to(torch::Device(device()));
  std::vector<torch::Tensor> before;
  for (const auto& parameter : variant.network->parameters()) {
    before.push_back(parameter.detach().clone());
  }
  const auto epoch = Trainer(main_job, data, 1).run_epoch(variant, 1, [](double, const Pass&) {});
  EXPECT_EQ(epoch.train.unconverged, 200);
  EXPECT_TRUE(std::isnan(epoch.train.loss)) << "no sample counts, so there is no mean";
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(torch::equal(variant.network->parameters()[i], before[i]));
  }
}

// Each other model, through the program: it learns, and its report has the same shape.
struct Expectation {
  const char* model;
  const char* options;
  double error;  // at most, of each variant; 1 where steps are too few for more than a falling loss
};

/// Whether a variant has a solver that counts iterations.
bool solves_iteratively(const Experiment& tried, const std::string& variant) {
  switch (tried.task) {
    case Task::Signals:
      return variant == "learned-difference" || variant == "tuned-difference";
    case Task::Shares:
      return variant == "learned-bounds";
    case Task::Choices:
      return false;
    default:
      return !variant.starts_with("explicit") && !tried.counts_evaluations;
  }
}

class Models : public ::testing::TestWithParam<Expectation> {};

TEST_P(Models, LearnAndReport) {
  const auto& [model, options, error] = GetParam();
  const auto& tried = experiment(model);
  const TemporaryDirectory directory;
  std::string data;
  if (tried.task == Task::Classes || tried.task == Task::Shares || tried.task == Task::Choices) {
    put_dataset(directory.path(), 800, 100);
    data = " --data " + directory.path().string();
  } else if (tried.task == Task::Boards) {
    put_boards(directory / "boards", 330);
    data = " --data " + (directory / "boards").string();
  } else if (tried.task == Task::Characters) {
    std::string text;
    while (text.size() < 30000) {
      text += "the quick brown fox jumps over the lazy dog. ";
    }
    put(directory / "text", text);
    data = " --data " + (directory / "text").string();
  }
  const auto report_path = directory / "report.json", plot_path = directory / "plot.svg";
  const auto run =
      run_program(std::string("train --threads 1 --model ") + model + " " + options + data + " --device " +
                  device() + " --report " + report_path.string() + " --plot " + plot_path.string());
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const auto report = nlohmann::json::parse(get(report_path));
  EXPECT_EQ(report["model"], model);
  const auto names = tried.variant_names();
  const auto picture = get(plot_path);
  ASSERT_EQ(report["variants"].size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& variant = report["variants"][i];
    SCOPED_TRACE(run.out + variant.dump(1));
    EXPECT_EQ(variant["name"], names[i]);
    EXPECT_LE(variant["test_error"].get<double>(), error);
    const bool learns = names[i] != "total-variation";
    EXPECT_EQ(variant["parameters"].get<int>() > 0, learns);
    EXPECT_GT(variant["peak_bytes"].get<int>(), 0);
    EXPECT_EQ(variant["bits_per_character"].is_null(), tried.task != Task::Characters);
    const bool iterates = solves_iteratively(tried, names[i]);
    EXPECT_EQ(variant["forward_iterations"].is_null(), !iterates);
    EXPECT_EQ(variant["backward_iterations"].is_null(), !iterates);
    const bool solves_ode = tried.counts_evaluations && names[i] != "resnet" && names[i] != "none";
    EXPECT_EQ(variant["forward_evaluations"].is_null(), !solves_ode);
    EXPECT_EQ(variant["mean_absolute_error"].is_null(), tried.task != Task::Trajectories);
    EXPECT_NE(picture.find(names[i]), std::string::npos);
    if (tried.name == "bouncing-ball") {
      EXPECT_LT(variant["parameter_error"].get<double>(), 0.01);
    }
    const auto& epochs = variant["epochs"];
    // The tuned difference begins where the others are to arrive, and takes one step here.
    if (learns && names[i] != "tuned-difference") {
      EXPECT_LT(epochs.back()["train_loss"], epochs.front()["train_loss"]);
    }
    EXPECT_EQ(variant["test_mse"].is_null(), tried.task != Task::Signals);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Models,
    ::testing::Values(
        Expectation{"monotone", "--epochs 2", 0.05},
        Expectation{"monotone-conv", "--epochs 2 --examples 256", 0.3},
        Expectation{"conv-deq", "--epochs 2 --examples 100 --test-examples 10", 1.0},
        Expectation{"mdeq", "--epochs 2 --examples 300 --test-examples 50", 1.0},
        Expectation{"transformer", "--epochs 2", 0.6}, Expectation{"jacobian-toy", "--epochs 3", 0.2},
        Expectation{"spiral", "--epochs 2", 1.0}, Expectation{"lotka-volterra", "--epochs 150", 0.01},
        Expectation{"bouncing-ball", "--epochs 40", 1e-3},
        Expectation{"ode-net", "--width 4 --epochs 5 --examples 256 --test-examples 10", 1.0},
        Expectation{"sudoku", "--epochs 20", 0.5},
        Expectation{"denoise", "--epochs 2 --examples 150 --test-examples 20", 1e5},
        Expectation{"projection", "--epochs 3", 0.05}, Expectation{"top-k", "--epochs 10", 0.4}),
    [](const auto& each) {
      std::string name = each.param.model;
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace stillpoint::app::testing
