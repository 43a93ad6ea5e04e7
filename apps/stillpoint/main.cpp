#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <limits>
#include <string>

#include "experiment.h"
#include "interrupt.h"
#include "train.h"
#include "user_error.h"

namespace {

namespace app = stillpoint::app;

constexpr int kFailure = 1;
constexpr int kUserError = 2;
constexpr int kInterrupted = 130;

int fail(int status, const std::string& message) {
  std::cout.flush();
  fmt::print(stderr, "stillpoint: {}\n", message.substr(0, message.find('\n')));
  return status;
}

std::string variants_help() {
  std::string text = "Variants to train (default: all, or those of --load).";
  for (const auto& experiment : app::experiments()) {
    text += fmt::format(" {}: {}.", experiment.name, fmt::join(experiment.variant_names(), ", "));
  }
  return text;
}

std::string data_help() {
  return fmt::format(
      "For images the directory with the four IDX files of MNIST, gzipped or not (default: {}); for the "
      "transformer "
      "a text file; jacobian-toy makes its own",
      app::experiments().front().data.string());
}

void add_train_options(CLI::App& command, app::TrainOptions& options) {
  command.add_option("--model", options.model, "What to train (default: fixed-point, or that of --load)")
      ->check(CLI::IsMember(app::experiment_names()));
  command.add_option("--variants", options.variants, variants_help())->delimiter(',');
  command.add_option("--data", options.data, data_help())->type_name("DIR|FILE");
  command.add_option("--epochs", options.epochs, "Epochs to train; 0 only evaluates (default: the model's)")
      ->check(CLI::Range(0, 100000));
  const CLI::Range counts(1, std::numeric_limits<std::int32_t>::max());
  command.add_option("--examples", options.examples, "Train on the first N examples only")->check(counts);
  command.add_option("--test-examples", options.test_examples, "Test on the first N examples only")
      ->check(counts);
  command.add_option("--seed", options.seed, "Seed of the weights and of the order of images (default: 1)")
      ->check(CLI::Range(0, std::numeric_limits<std::int32_t>::max()));
  command.add_option("--threads", options.threads, "Threads; for models this small one is as fast as any")
      ->check(CLI::Range(1, 4096));
  command.add_option("--device", options.device, "cpu, cuda or cuda:N");
  command.add_option("--report", options.report, "Write what was found as JSON")->type_name("FILE.json");
  command.add_option("--plot", options.plot, "Draw test errors and residuals")
      ->type_name("FILE.svg|FILE.png");
  command.add_option("--save", options.save, "Write a checkpoint after each epoch")->type_name("FILE");
  command.add_option("--load", options.load, "Continue from a checkpoint")->type_name("FILE");
}

}  // namespace

int main(int argc, char** argv) {
  app::TrainOptions options;
  options.command = fmt::format("{}", fmt::join(argv, argv + argc, " "));

  CLI::App program("Implicit layers, trained on real images. Without a command: train.", "stillpoint");
  program.option_defaults()->always_capture_default();
  program.require_subcommand(0, 1);
  auto* command = program.add_subcommand("train", "Train a model once for each of its variants, and compare");
  command->option_defaults()->always_capture_default();
  add_train_options(*command, options);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    return fail(kUserError, fmt::format("{}; see stillpoint train --help", error.what()));
  }

  try {
    app::catch_interrupts();
    app::train(options);
    return 0;
  } catch (const app::Interrupted&) {
    return fail(kInterrupted,
                options.save.empty() ? "interrupted" : "interrupted; the finished epochs are saved");
  } catch (const app::UserError& error) {
    return fail(kUserError, error.what());
  } catch (const c10::Error& error) {
    return fail(kFailure, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(kFailure, error.what());
  }
}
