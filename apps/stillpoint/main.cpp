#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string>

#include "console.h"
#include "experiment.h"
#include "interrupt.h"
#include "run_parts.h"
#include "studies.h"
#include "train.h"
#include "user_error.h"

namespace {

namespace app = stillpoint::app;

constexpr int kFailure = 1;
constexpr int kUserError = 2;

int fail(int status, const std::string& message) {
  std::cout.flush();
  app::complain(message);
  return status;
}

/// Sees to it that a file that is opened later does not become a standard stream that the caller has closed.
void keep_standard_streams() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  close(fd);
}

std::string variants_help() {
  std::string text = "Variants to train (default: all, or those of --load).";
  for (const auto& experiment : app::experiments()) {
    text += fmt::format(" {}: {}.", experiment.name, fmt::join(experiment.variant_names(), ", "));
  }
  for (const auto& study : app::studies()) {
    text += fmt::format(" {}: {}.", study.name, fmt::join(app::names_of(study.variants), ", "));
  }
  return text;
}

std::string epochs_help() {
  return fmt::format(
      "Train up to so many epochs; 0 only evaluates (default: the model's, or those of --load). For models "
      "that go through no examples ({}): rounds",
      fmt::join(app::names_of(app::studies()), ", "));
}

std::string data_help() {
  return fmt::format(
      "For images the directory with the four IDX files of MNIST, gzipped or not (default: {}); for the "
      "transformer a text file; for sudoku one with a board and its solution in each line; other models make "
      "their own",
      app::experiments().front().data.string());
}

CLI::Option* add_file(CLI::App& command, const std::string& name, std::filesystem::path& path,
                      const std::string& help, const std::string& kind) {
  const auto empty = [](const std::string& text) { return text.empty() ? "the name is empty" : ""; };
  return command.add_option(name, path, help)->type_name(kind)->check(empty);
}

void add_train_options(CLI::App& command, app::TrainOptions& options) {
  command.add_option("--model", options.model, "What to train (default: fixed-point, or that of --load)")
      ->check(CLI::IsMember(app::model_names()));
  command.add_option("--variants", options.variants, variants_help())->delimiter(',');
  add_file(command, "--data", options.data, data_help(), "DIR|FILE");
  command.add_option("--epochs", options.epochs, epochs_help())->check(CLI::Range(0, 100000));
  const CLI::Range counts(1, std::numeric_limits<std::int32_t>::max());
  command
      .add_option("--width", options.width,
                  "Channels of the network, for ode-net (default: 64, as published)")
      ->check(CLI::Range(1, 4096));
  command.add_option("--examples", options.examples, "Train on the first N examples only")->check(counts);
  command.add_option("--test-examples", options.test_examples, "Test on the first N examples only")
      ->check(counts);
  command.add_option("--seed", options.seed, "Seed of the weights and of the order of images (default: 1)")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()));
  command
      .add_option("--threads", options.threads,
                  "Threads, at most one a processor; for models this small one is as fast as any")
      ->check(CLI::Range(1, 4096));
  command.add_option("--device", options.device, "cpu, cuda or cuda:N");
  add_file(command, "--report", options.report, "Write what was found as JSON", "FILE.json");
  add_file(command, "--plot", options.plot, "Draw test errors and residuals", "FILE.svg|FILE.png");
  add_file(command, "--save", options.save, "Write a checkpoint after each epoch", "FILE");
  add_file(command, "--load", options.load,
           "Finish the run of a checkpoint, with its model, seed, data, examples and epochs", "FILE");
}

/// The message of CLI11 has what was not expected in reverse order.
std::string describe(const CLI::ParseError& error, const CLI::App& program) {
  const auto extras = program.remaining(true);
  return error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)
             ? fmt::format("not expected: {}", fmt::join(extras, " "))
             : app::explain(error);
}

/// What there is to do after --help or --version.
int show(const CLI::App& program, const CLI::Success& wanted) {
  const int status = program.exit(wanted);
  return std::cout.flush() ? status : fail(kUserError, "cannot write to standard output");
}

int run_to_end(const app::TrainOptions& options) {
  const std::string interrupted =
      options.save.empty() ? "interrupted" : "interrupted; the finished epochs are saved";
  try {
    app::catch_interrupts(interrupted);
    app::train(options);
    return 0;
  } catch (const app::Interrupted&) {
    return fail(app::kInterrupted, interrupted);
  } catch (const app::UserError& error) {
    return fail(kUserError, app::explain(error));
  } catch (const std::exception& error) {
    return fail(kFailure, app::explain(error));
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_streams();
  app::TrainOptions options;
  options.command = fmt::format("{}", fmt::join(argv, argv + argc, " "));

  CLI::App program("Implicit layers, trained on real images. Without a command: train.", "stillpoint");
  program.option_defaults()->always_capture_default();
  program.require_subcommand(0, 1);
  program.set_version_flag("--version", "stillpoint " STILLPOINT_VERSION ", LibTorch " TORCH_VERSION);
  auto* command = program.add_subcommand("train", "Train a model once for each of its variants, and compare");
  command->option_defaults()->always_capture_default();
  add_train_options(*command, options);
  add_train_options(program, options);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return show(program, wanted);
  } catch (const CLI::ParseError& error) {
    return fail(kUserError, fmt::format("{}; see stillpoint train --help", describe(error, program)));
  }
  return run_to_end(options);
}
