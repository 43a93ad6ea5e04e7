#include <torch/optim/adam.h>
#include <torch/serialize.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "interrupt.h"
#include "studies.h"
#include "study_parts.h"
#include "study_run.h"
#include "support.h"

// Runs of studies, whatever is learned: here the mean of random numbers, by Adam.

namespace stillpoint::app::testing {
namespace {

struct MeanOptions {
  double rate = 0.1;
  std::int64_t fails_in = 0;        ///< the round that throws
  std::int64_t interrupted_in = 0;  /// the round in which Ctrl-C is pressed
  std::uint32_t examples = 0;       /// their checksum
};

class MeanLearner : public Learner {
 public:
  explicit MeanLearner(const MeanOptions& options)
      : options_(options),
        mean_(torch::randn({3}).requires_grad_()),
        optimizer_({mean_}, torch::optim::AdamOptions(options.rate)) {}

  Figures run_round() override {
    ++round_;
    if (round_ == options_.interrupted_in) {
      std::raise(SIGINT);
      stop_if_interrupted();
    }
    if (round_ == options_.fails_in) {
      throw std::runtime_error("too hard\nand more");
    }
    const auto loss = (mean_ - torch::randn({100, 3}) - 2).square().mean();
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
    return {{"loss", loss.item<double>()},
            {"undefined", std::numeric_limits<double>::quiet_NaN()},
            {"round_number", static_cast<double>(round_)}};
  }
  nlohmann::ordered_json results() override {
    const auto error = (mean_.detach() - 2).abs().max().item<double>();
    return {{"largest_error", error}, {"drawn", torch::rand({1}).item<double>()}, {"list", {1, 2}}};
  }
  std::int64_t parameters() const override { return 3; }
  void save(torch::serialize::OutputArchive& archive) const override {
    torch::serialize::OutputArchive state;
    optimizer_.save(state);
    archive.write("mean", mean_);
    archive.write("optimizer", state);
    archive.write("round", c10::IValue(round_));
  }
  void load(torch::serialize::InputArchive& archive) override {
    torch::serialize::InputArchive state;
    const torch::NoGradGuard no_grad;
    archive.read("mean", mean_);
    archive.read("optimizer", state);
    optimizer_.load(state);
    c10::IValue round;
    archive.read("round", round);
    round_ = round.toInt();
  }
  std::uint32_t checksum() const override { return options_.examples; }

 private:
  MeanOptions options_;
  at::Tensor mean_;
  torch::optim::Adam optimizer_;
  std::int64_t round_ = 0;
};

Study mean_study(const MeanOptions& second = {.rate = 0.2}) {
  return {
      .name = "mean",
      .description = "Means of random numbers",
      .rounds = 4,
      .variants = {learner_of<MeanLearner>("slow", MeanOptions{}), learner_of<MeanLearner>("fast", second)},
      .picture = [](const std::vector<StudiedVariant>& variants) {
        Panel panel{.title = "Loss", .x_label = "round", .y_label = "loss", .settings = {}, .curves = {}};
        for (const auto& variant : variants) {
          Curve curve{.title = variant.name, .style = "lines", .points = {}};
          for (const auto& figures : variant.rounds) {
            curve.points.emplace_back(curve.points.size(), figures.front().second);
          }
          panel.curves.push_back(std::move(curve));
        }
        return std::vector{panel};
      }};
}

class StudyRuns : public ::testing::Test {
 protected:
  /// What a run writes to standard output.
  static std::string shown(const Study& study, const TrainOptions& options) {
    ::testing::internal::CaptureStdout();
    try {
      train_study(study, options, torch::kCPU);
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    return ::testing::internal::GetCapturedStdout();
  }
  nlohmann::json report(const Study& study, TrainOptions options) const {
    options.report = directory / "report.json";
    shown(study, options);
    return nlohmann::json::parse(get(options.report));
  }
  /// All that was learned, without the times that it took.
  static nlohmann::json learned(nlohmann::json report) {
    for (auto& variant : report["variants"]) {
      variant.erase("seconds_per_round");
      for (auto& round : variant["rounds"]) {
        round.erase("seconds");
      }
    }
    return report["variants"];
  }

  TemporaryDirectory directory;
  fs::path saved = directory / "saved";
};

std::set<std::string> names_in(const nlohmann::json& object) {
  std::set<std::string> names;
  for (const auto& [key, value] : object.items()) {
    names.insert(key);
  }
  return names;
}

TEST_F(StudyRuns, ReportWhatIsPromised) {
  const auto plot = directory / "plot.svg";
  const auto made = report(mean_study(), {.seed = 7, .plot = plot, .command = "stillpoint train"});
  EXPECT_EQ(names_in(made), (std::set<std::string>{"model", "variants", "data", "epochs", "seed", "device",
                                                   "threads", "command", "versions"}));
  EXPECT_EQ(made["model"], "mean");
  EXPECT_EQ(made["epochs"], 4);
  EXPECT_EQ(made["seed"], 7);
  EXPECT_EQ(made["device"], "cpu");
  EXPECT_EQ(made["command"], "stillpoint train");
  EXPECT_TRUE(made["data"]["path"].is_null());
  ASSERT_EQ(made["variants"].size(), 2U);
  for (const auto& variant : made["variants"]) {
    EXPECT_EQ(names_in(variant),
              (std::set<std::string>{"name", "parameters", "largest_error", "drawn", "list",
                                     "seconds_per_round", "peak_bytes", "rounds"}));
    EXPECT_EQ(variant["parameters"], 3);
    EXPECT_GE(variant["peak_bytes"], 300 * 4) << "the numbers that are drawn";
    ASSERT_EQ(variant["rounds"].size(), 4U);
    const auto& last = variant["rounds"][3];
    EXPECT_EQ(names_in(last),
              (std::set<std::string>{"round", "seconds", "loss", "undefined", "round_number"}));
    EXPECT_EQ(last["round"], 4);
    EXPECT_EQ(last["round_number"], 4.0);
    EXPECT_TRUE(last["undefined"].is_null());
    EXPECT_LT(last["loss"], variant["rounds"][0]["loss"]);
  }
  const auto& [slow, fast] = std::tie(made["variants"][0], made["variants"][1]);
  EXPECT_NE(slow["rounds"][1]["loss"], fast["rounds"][1]["loss"]);
  EXPECT_EQ(slow["rounds"][0]["loss"], fast["rounds"][0]["loss"]) << "the same weights, the same numbers";
  EXPECT_NE(get(plot).find("fast"), std::string::npos);
}

TEST_F(StudyRuns, InPiecesLearnTheSame) {
  const auto study = mean_study();
  const auto at_once = learned(report(study, {.epochs = 5}));
  report(study, {.epochs = 2, .save = saved});
  report(study, {.variants = {"fast"}, .epochs = 3, .save = saved, .load = saved});
  EXPECT_EQ(learned(report(study, {.epochs = 5, .save = saved, .load = saved})), at_once);
  EXPECT_EQ(learned(report(study, {.epochs = 0, .load = saved})), at_once) << "it only evaluates";
  EXPECT_EQ(learned(report(study, {.load = saved})), at_once);
  EXPECT_EQ(learned(report(study, {.variants = {"fast"}, .epochs = 5}))[0], at_once[1]) << "alone";
}

TEST_F(StudyRuns, DependOnTheirSeed) {
  const auto study = mean_study();
  EXPECT_NE(learned(report(study, {.seed = 1})), learned(report(study, {.seed = 2})));
}

TEST_F(StudyRuns, ShowALineForSomeRoundsAndATable) {
  const auto out = shown(mean_study(), {.variants = {"slow"}, .epochs = 99});
  EXPECT_EQ(out.find_first_of("\r\x1b\b"), std::string::npos) << out;
  std::istringstream lines(out);
  std::string line;
  std::int64_t rounds = 0;
  for (std::int64_t number = 0; std::getline(lines, line); ++number) {
    rounds += line.find("/99 ") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(rounds, 21) << out;  // 1, 5, 10, …, 95, 99
  for (const char* part : {"Means of random numbers", "99 rounds; seed 1", "largest_error", "1/99", "95/99",
                           "99/99", "seconds / round"}) {
    EXPECT_NE(out.find(part), std::string::npos) << part << " in\n" << out;
  }
  EXPECT_EQ(out.find("list"), std::string::npos) << "no number";
}

TEST_F(StudyRuns, RefuseWhatDoesNotBelongToThem) {
  const auto study = mean_study();
  const auto refused = [&](const TrainOptions& options, const std::vector<std::string>& parts) {
    expect_user_error([&] { shown(study, options); }, parts);
  };
  refused({.width = 3}, {"--width 3", "mean"});
  refused({.examples = 3}, {"--examples 3", "mean"});
  refused({.test_examples = 3}, {"--test-examples 3", "mean"});
  refused({.variants = {"quick"}}, {"no variant quick", "slow, fast"});
  refused({.variants = {"slow", "slow"}}, {"more than once"});
  refused({.data = "/data"}, {"--data", "leave --data out"});
  refused({.report = saved, .save = saved}, {"are the same file"});
  refused({.save = directory / "nowhere/saved"}, {"cannot write"});
  refused({.load = saved}, {"cannot read"});
  expect_user_error([&] { train_study(study, {.device = "cuda"}, torch::kCUDA); }, {"--device cuda", "mean"});
  EXPECT_TRUE(directory.list().empty());
}

TEST_F(StudyRuns, RefuseWhatDiffersFromTheCheckpoint) {
  const auto study = mean_study();
  shown(study, {.variants = {"slow"}, .epochs = 1, .save = saved});
  const auto refused = [&](const Study& loads, TrainOptions options, const std::vector<std::string>& parts) {
    options.load = saved;
    expect_user_error([&] { shown(loads, options); }, parts);
  };
  refused(study, {.seed = 2}, {"--seed 2", "was made with --seed 1"});
  refused(study, {.variants = {"fast"}}, {"--variants fast", "does not hold it"});
  refused(study, {.model = "monotone"}, {"--model monotone", "was made with --model mean"});
  auto other = study;
  other.variants = {learner_of<MeanLearner>("slow", MeanOptions{.examples = 5})};
  refused(other, {}, {"was trained on other examples"});
  const auto whole = get(saved);
  put(saved, whole.substr(0, whole.size() / 2));
  refused(study, {}, {"not a checkpoint"});
}

TEST_F(StudyRuns, HoldWhatWasFinishedBeforeAFailure) {
  const auto study = mean_study({.fails_in = 3});
  const auto path = directory / "report.json", plot = directory / "plot.svg";
  try {
    shown(study, {.report = path, .plot = plot, .save = saved});
    ADD_FAILURE() << "no error";
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "fast failed after 2 rounds: too hard");
  }
  EXPECT_EQ(nlohmann::json::parse(get(path))["variants"].size(), 1U);
  EXPECT_NE(get(plot).find("slow"), std::string::npos);
  const auto later = learned(report(mean_study({}), {.load = saved}));
  EXPECT_EQ(later[0]["rounds"], later[1]["rounds"]) << "it goes on where it failed";
}

using StudyInterruptDeathTest = StudyRuns;

TEST_F(StudyInterruptDeathTest, KeepsTheFinishedRounds) {
  const auto interrupted = [&] {
    catch_interrupts("");
    try {
      train_study(mean_study({.interrupted_in = 3}), {.save = saved}, torch::kCPU);
    } catch (const Interrupted&) {
      std::exit(kInterrupted);
    }
    std::exit(1);
  };
  EXPECT_EXIT(interrupted(), ::testing::ExitedWithCode(kInterrupted), "");
  const auto in_pieces = learned(report(mean_study({}), {.load = saved}));
  EXPECT_EQ(in_pieces, learned(report(mean_study({}), {})));
}

TEST(Studies, HaveNamesOfTheirOwn) {
  const auto names = model_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(find_study("fixed-point"), nullptr);
  for (const auto& study : studies()) {
    EXPECT_EQ(find_study(study.name), &study);
    EXPECT_FALSE(study.variants.empty()) << study.name;
    EXPECT_GT(study.rounds, 0) << study.name;
    EXPECT_TRUE(study.picture) << study.name;
  }
}

}  // namespace
}  // namespace stillpoint::app::testing
