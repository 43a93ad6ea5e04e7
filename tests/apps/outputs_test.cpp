#include "outputs.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "plot.h"
#include "resume.h"
#include "support.h"

// What was trained is not lost because of where it is to be written.

namespace stillpoint::app::testing {
namespace {

TEST(DoEach, DoesWhatComesAfterAFailure) {
  int done = 0;
  const auto work = [&] { ++done; };
  const auto fail = [](const std::string& what) { return [=] { throw UserError(what); }; };
  expect_user_error([&] { do_each({work, fail("one"), work, fail("two\nlines"), work}); }, {"one; two"});
  const auto fail_otherwise = [] { throw std::logic_error("otherwise"); };
  EXPECT_THROW(do_each({fail("one"), fail_otherwise}), std::runtime_error);
  EXPECT_EQ(done, 3);
  do_each({work});
  EXPECT_EQ(done, 4);
}

TEST(Plot, IsDrawnWhereThereIsNothingToShow) {
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const Panel none{
      .title = "none", .x_label = "", .y_label = "", .settings = "set logscale y\n", .curves = {}};
  auto bad = none, half = none;
  bad.curves = {{.title = "bad", .style = "lines", .points = {{0, nothing}, {1, nothing}}},
                {.title = "empty", .style = "lines", .points = {}}};
  half.curves = {{.title = "half", .style = "lines", .points = {{0, nothing}, {1, 2}, {2, 3}}},
                 bad.curves[0]};
  const auto picture = draw_plot("plot.svg", {none, bad, half});
  for (const char* title : {"none", "bad", "empty", "half", "</svg>"}) {
    EXPECT_NE(picture.find(title), std::string::npos) << title;
  }
}

class Outputs : public Program {
 protected:
  void save_untrained(const fs::path& path, const Experiment& model, const std::vector<std::string>& broken);
};

/// A checkpoint of one epoch to come, in which some variants have weights that are no numbers.
void Outputs::save_untrained(const fs::path& path, const Experiment& model,
                             const std::vector<std::string>& broken) {
  Checkpoint models{.run = {.experiment = &model}, .variants = {}};
  if (model.task == Task::Classes) {
    models.run.data = data;
  }
  load_examples({}, models.run, torch::kCPU);
  models.run.epochs = 1;
  const torch::NoGradGuard no_grad;
  for (const auto& name : model.variant_names()) {
    models.variants.push_back(new_variant(model, name, 1));
    if (std::ranges::count(broken, name) > 0) {
      for (auto& weight : models.variants.back().network->parameters()) {
        weight.fill_(std::numeric_limits<float>::quiet_NaN());
      }
    }
  }
  save_checkpoint(path, models);
}

TEST_F(Outputs, AreRefusedWhereTwoAreTheSame) {
  const auto a = (directory / "a").string(), b = (directory / "b.svg").string();
  const auto again = (directory / "./a").string();
  fs::create_symlink(a, b);
  expect_one_line_error(run_program(train("--save " + a + " --report " + a)), "are the same file");
  expect_one_line_error(run_program(train("--save " + a + " --report " + again)), "are the same file");
  expect_one_line_error(run_program(train("--plot " + b + " --report " + a)), "are the same file");
  EXPECT_EQ(directory.list(), (std::vector<std::string>{"b.svg", "data"}));
}

TEST_F(Outputs, DoNotReplaceWhatIsRead) {
  const auto saved = (directory / "saved").string(), text = (directory / "text").string();
  const auto run = run_program(train("--epochs 0 --variants picard-implicit --save " + saved));
  ASSERT_EQ(run.status, 0) << run.err;
  const auto before = get(saved);
  expect_one_line_error(run_program("train --load " + saved + " --report " + saved), "are the same file");
  EXPECT_EQ(get(saved), before);
  put(text, "text");
  expect_one_line_error(run_program("train --model transformer --data " + text + " --save " + text),
                        "are the same file");
  EXPECT_EQ(get(text), "text");
  EXPECT_EQ(run_program("train --load " + saved + " --save " + saved).status, 0);
}

TEST_F(Outputs, AreWrittenWithoutEachOther) {
  const auto options = std::string(" --epochs 0 --variants picard-implicit");
  const auto report = directory / "report.json", plot = directory / "plot.svg";
  auto run = run_program(train("--report /dev/full --plot " + plot.string()) + options);
  expect_one_line_error(run, "/dev/full");
  EXPECT_NE(get(plot).find("</svg>"), std::string::npos);
  // A gnuplot that draws nothing but the picture that it is tried with.
  const auto bin = directory / "bin";
  fs::create_directory(bin);
  put(bin / "gnuplot", "#!/bin/sh\n! grep -q picard-implicit\n");
  fs::permissions(bin / "gnuplot", fs::perms{0755});
  run = run_program(train("--report " + report.string() + " --plot " + plot.string()) + options,
                    "PATH=" + bin.string() + ":$PATH");
  expect_one_line_error(run, "gnuplot");
  EXPECT_EQ(nlohmann::json::parse(get(report))["variants"].size(), 1U);
}

// Neither the command nor a path need be UTF-8, but a report is.
TEST_F(Outputs, AreWrittenWhateverTheirNames) {
  const auto odd = directory / "odd \xff";
  fs::rename(data, odd);
  const auto report = directory / "report \xfe.json", saved = directory / "saved \xfd";
  const auto run = run_program("train --epochs 0 --variants picard-implicit --data '" + odd.string() +
                               "' --report '" + report.string() + "' --save '" + saved.string() + "'");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(nlohmann::json::parse(get(report))["data"]["path"], (directory / "odd \uFFFD").string());
  EXPECT_EQ(run_program("train --epochs 0 --load '" + saved.string() + "'").status, 0);
}

// An explicit network has no residuals.
TEST_F(Outputs, ArePlottedForExplicitNetworks) {
  put(directory / "text", std::string(10'000, 'a'));
  const auto plot = directory / "plot.svg";
  const auto run = run_program("train --model transformer --variants explicit-1 --epochs 0 --data " +
                               (directory / "text").string() + " --plot " + plot.string());
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_NE(get(plot).find("explicit-1"), std::string::npos);
}

// Training can come to that, and takes its time before.
TEST_F(Outputs, AreWrittenForWeightsThatAreNoNumbers) {
  const auto saved = directory / "saved", report = directory / "report.json", plot = directory / "plot.svg";
  for (const char* model : {"fixed-point", "jacobian-toy"}) {
    SCOPED_TRACE(model);
    const auto& broken = experiment(model);
    save_untrained(saved, broken, broken.variant_names());
    const auto run = run_program("train --load " + saved.string() + " --report " + report.string() +
                                 " --plot " + plot.string());
    EXPECT_EQ(run.status, 0) << run.err;
    EXPECT_EQ(run.out.find("nan"), std::string::npos) << run.out;
    EXPECT_NE(get(plot).find("</svg>"), std::string::npos);
    const auto variants = nlohmann::json::parse(get(report))["variants"];
    ASSERT_EQ(variants.size(), broken.variants.size());
    for (const auto& variant : variants) {
      EXPECT_TRUE(variant["gradient_error"].is_null()) << variant;
      ASSERT_EQ(variant["epochs"].size(), 1U);
      EXPECT_TRUE(variant["epochs"][0]["train_loss"].is_null()) << variant;
      EXPECT_TRUE(variant["epochs"][0]["test_loss"].is_null()) << variant;
    }
  }
}

TEST_F(Outputs, HoldWhatWasFinishedBeforeAFailure) {
  const auto saved = directory / "saved", report = directory / "report.json", plot = directory / "plot.svg";
  // Its second variant refuses such weights.
  save_untrained(saved, experiment("monotone"), {"peaceman-rachford"});
  const auto run = run_program("train --load " + saved.string() + " --report " + report.string() +
                               " --plot " + plot.string());
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.err.find("stillpoint: peaceman-rachford failed after 0 epochs: "), 0U) << run.err;
  EXPECT_EQ(std::ranges::count(run.err, '\n'), 1) << run.err;
  const auto variants = nlohmann::json::parse(get(report))["variants"];
  ASSERT_EQ(variants.size(), 1U);
  EXPECT_EQ(variants[0]["name"], "forward-backward");
  EXPECT_NE(get(plot).find("forward-backward"), std::string::npos);

  // Where nothing was finished, what was there stays.
  const auto before = get(report);
  EXPECT_EQ(run_program("train --load " + saved.string() + " --variants peaceman-rachford --report " +
                        report.string())
                .status,
            1);
  EXPECT_EQ(get(report), before);
}

}  // namespace
}  // namespace stillpoint::app::testing
