#include "study_run.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "console.h"
#include "files.h"
#include "interrupt.h"
#include "outputs.h"
#include "peak_memory.h"
#include "run_parts.h"
#include "study_checkpoint.h"
#include "study_report.h"
#include "user_error.h"

namespace stillpoint::app {
namespace {

using Clock = std::chrono::steady_clock;

/// Where there are many rounds, lines are written at so many moments.
constexpr std::int64_t kLines = 20;

/// Options for networks that are trained on examples.
void refuse_others(const Study& study, const TrainOptions& options, c10::Device device) {
  const auto refuse = [&](const char* option, const std::optional<std::int64_t>& told) {
    if (told) {
      throw UserError(
          fmt::format("{0} {1}: the model {2} has no {0}; leave it out", option, *told, study.name));
    }
  };
  refuse("--width", options.width);
  refuse("--examples", options.examples);
  refuse("--test-examples", options.test_examples);
  if (!device.is_cpu()) {
    throw UserError(fmt::format("--device {}: the model {} runs on the processor; leave --device out",
                                options.device, study.name));
  }
}

std::int64_t done(const StudiedVariant& variant) { return static_cast<std::int64_t>(variant.rounds.size()); }

void save_run(const TrainOptions& options, const StudyRun& run) {
  if (!options.save.empty()) {
    save_study(options.save, run);
  }
}

bool tell_the_same(const Figures& one, const Figures& other) {
  return std::ranges::equal(one, other, {}, &Figures::value_type::first, &Figures::value_type::first);
}

void run_round(StudiedVariant& variant, std::uint64_t seed) {
  stop_if_interrupted();
  torch::manual_seed(epoch_seed(seed, done(variant) + 1));
  const auto start = Clock::now();
  Figures figures;
  const auto work = [&] { figures = variant.learner->run_round(); };
  const auto peak = variant.rounds.empty() ? peak_tensor_bytes(torch::kCPU, work) : (work(), 0);
  TORCH_CHECK(variant.rounds.empty() || tell_the_same(figures, variant.rounds.front()),
              "its rounds do not tell of the same figures");
  variant.peak_bytes = std::max(variant.peak_bytes, peak);
  variant.rounds.push_back(std::move(figures));
  variant.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
}

/// Rounds of all variants, as lines and as a bar.
class Course {
 public:
  Course(Console& console, std::int64_t rounds) : console_(console), rounds_(rounds) {}

  void show(const StudiedVariant& variant) {
    const auto round = done(variant);
    const auto& figures = variant.rounds.back();
    const auto every = (rounds_ + kLines - 1) / kLines;
    if (round == 1 || round == rounds_ || round % every == 0) {
      if (!tell_the_same(figures, header_) || header_.empty()) {
        header_ = figures;
        console_.line("");
        console_.line(round_header(figures));
      }
      console_.line(
          round_line(variant.name, fmt::format("{}/{}", round, rounds_), figures, variant.seconds.back()));
    }
    if (round < rounds_) {
      console_.progress(variant.name, round, rounds_,
                        static_cast<double>(round) / static_cast<double>(rounds_), in_brief(figures));
    }
  }

 private:
  Console& console_;
  std::int64_t rounds_;
  Figures header_ = {};  ///< of the lines above
};

void train_learner(const TrainOptions& options, const StudyRun& run, StudiedVariant& variant,
                   std::int64_t rounds, Course& course) {
  while (done(variant) < rounds) {
    run_round(variant, run.seed);
    save_run(options, run);
    course.show(variant);
  }
}

void announce_study(const StudyRun& run, std::int64_t rounds, Console& console) {
  console.line(run.study->description);
  console.line(fmt::format("{} rounds{}; seed {}", rounds,
                           run.data.empty() ? "" : ", with " + run.data.string(), run.seed));
}

/// The picture of the variants that were finished, which are used up.
std::string draw_study(const TrainOptions& options, const StudyRun& run,
                       std::vector<StudiedVariant*> finished) {
  const EndAtOnce now;
  std::vector<StudiedVariant> drawn;
  drawn.reserve(finished.size());
  for (auto* variant : finished) {
    drawn.push_back(std::move(*variant));
  }
  torch::manual_seed(run.seed);
  return draw_plot(options.plot, run.study->picture(drawn));
}

void show_table(const std::vector<StudyResult>& results, Console& console) {
  console.line("");
  for (const auto& line : study_table(results)) {
    console.line(line);
  }
}

StudyResult measure_learner(const StudiedVariant& variant, std::uint64_t seed) {
  const EndAtOnce now;  // what was trained is saved
  return result_of(variant, seed);
}

}  // namespace

void train_study(const Study& study, const TrainOptions& options, c10::Device device) {
  refuse_others(study, options, device);
  auto run = start_or_load(study, options);
  const auto chosen = choose(run.variants, options.variants);
  const auto rounds = options.epochs.value_or(run.rounds);
  if (std::ranges::any_of(chosen, [&](const auto* variant) { return done(*variant) < rounds; })) {
    run.rounds = rounds;
  }
  check_outputs(options, run.data);
  save_run(options, run);

  Console console;
  announce_study(run, rounds, console);
  Course course(console, rounds);
  std::vector<StudyResult> results;
  std::vector<StudiedVariant*> finished;
  do_each({[&] {
             for (auto* variant : chosen) {
               try {
                 train_learner(options, run, *variant, rounds, course);
                 results.push_back(measure_learner(*variant, run.seed));
                 finished.push_back(variant);
               } catch (const std::exception&) {
                 fail_with(variant->name, variant->rounds.size(), "rounds");
               }
             }
           },
           [&] {
             if (!results.empty()) {
               show_table(results, console);
             }
           },
           [&] {
             if (!options.report.empty() && !results.empty()) {
               write_file(options.report, make_study_report(run, results, options.command));
             }
           },
           [&] {
             if (!options.plot.empty() && !results.empty()) {
               write_file(options.plot, draw_study(options, run, finished));
             }
           }});
}

}  // namespace stillpoint::app
