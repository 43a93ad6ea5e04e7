#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <utility>

namespace stillpoint::app::testing {
namespace {

constexpr int kSide = 28;

struct LabeledImages {
  std::string images;
  std::string labels;
};

LabeledImages make_images(std::int64_t count, std::mt19937& random) {
  LabeledImages made;
  for (std::int64_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(i % 10);
    for (int row = 0; row < kSide; ++row) {
      for (int column = 0; column < kSide; ++column) {
        const bool bright = row / 14 * 5 + column / 6 == label;
        made.images.push_back(static_cast<char>(bright ? 180 + random() % 76 : random() % 60));
      }
    }
    made.labels.push_back(static_cast<char>(label));
  }
  return made;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  auto name = (fs::temp_directory_path() / "stillpoint-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("mkdtemp");
  }
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryDirectory::list() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path_)) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

void put(const fs::path& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  ASSERT_TRUE(stream.flush().good()) << path;
}

std::string get(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string gzip(const std::string& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& numbers) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (const auto size : sizes) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(size >> shift & 255U));
    }
  }
  return bytes + numbers;
}

void put_dataset(const fs::path& directory, std::int64_t train, std::int64_t test) {
  std::mt19937 random(7);
  const auto image_sizes = [](std::int64_t count) {
    return std::vector<std::uint32_t>{static_cast<std::uint32_t>(count), kSide, kSide};
  };
  const auto learn = make_images(train, random);
  put(directory / "train-images-idx3-ubyte.gz", gzip(idx(image_sizes(train), learn.images)));
  put(directory / "train-labels-idx1-ubyte.gz", gzip(idx({static_cast<std::uint32_t>(train)}, learn.labels)));
  const auto check = make_images(test, random);
  put(directory / "t10k-images-idx3-ubyte", idx(image_sizes(test), check.images));
  put(directory / "t10k-labels-idx1-ubyte", idx({static_cast<std::uint32_t>(test)}, check.labels));
}

void put_boards(const fs::path& path, std::int64_t count) {
  std::mt19937 random(7);
  std::string digits = "1234", lines;
  for (std::int64_t i = 0; i < count; ++i) {
    std::ranges::shuffle(digits, random);
    std::string solution;
    for (const int place : {0, 1, 2, 3, 2, 3, 0, 1, 1, 0, 3, 2, 3, 2, 1, 0})
      solution.push_back(digits[place]);
    auto board = solution;
    for (auto& cell : board) cell = random() % 3 == 0 ? '0' : cell;
    lines += board + " " + solution + "\n";
  }
  put(path, lines);
}

at::Tensor sample_inputs(const Experiment& experiment, std::int64_t count) {
  torch::manual_seed(7);
  switch (experiment.task) {
    case Task::Classes:
    case Task::Shares:
      return torch::rand({count, 784});
    case Task::Choices:
      return torch::rand({count, 8, 784});
    case Task::Characters:
      return torch::randint(256, {count, 64}, torch::kLong);
    case Task::Trajectories:
      return torch::rand({count, 2});
    case Task::Signals:
      return 10 * torch::randn({count, 100});
    case Task::Boards:
      return torch::one_hot(torch::randint(4, {count, 16}), 4).to(torch::kFloat).flatten(1);
    case Task::Numbers:
      break;
  }
  return torch::rand({count, 1});
}

Outcome run_program(const std::string& arguments, const std::string& before) {
  const TemporaryDirectory directory;
  const auto out = directory / "out", err = directory / "err";
  const auto command = before + " " STILLPOINT_PROGRAM " " + arguments;
  const int status = std::system(("(" + command + ") >" + out.string() + " 2>" + err.string()).c_str());
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = get(out), .err = get(err)};
}

void Program::expect_one_line_error(const Outcome& run, const std::string& says) {
  EXPECT_EQ(run.status, 2) << run.err;
  EXPECT_EQ(run.err.substr(0, 12), "stillpoint: ") << run.err;
  EXPECT_EQ(std::ranges::count(run.err, '\n'), 1) << run.err;
  EXPECT_NE(run.err.find(says), std::string::npos) << run.err;
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, const fs::path& err,
                               const std::vector<std::string>& environment) {
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<std::string> words{"env"};
  std::ranges::copy(environment, std::back_inserter(words));
  words.emplace_back(STILLPOINT_PROGRAM);
  std::ranges::copy(arguments, std::back_inserter(words));
  std::vector<char*> pointers;
  for (auto& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  if (posix_spawnp(&child_, pointers[0], &actions, nullptr, pointers.data(), environ) != 0) {
    throw std::runtime_error("posix_spawnp");
  }
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  output_ = output[0];
}

RunningProgram::~RunningProgram() {
  if (child_ > 0) {
    interrupt();
  }
  close(output_);
}

bool RunningProgram::wait_for(const std::string& text) {
  std::string out;
  std::array<char, 256> chunk;
  while (out.find(text) == std::string::npos) {
    const auto got = read(output_, chunk.data(), chunk.size());
    if (got <= 0) {
      return false;
    }
    out.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return true;
}

int RunningProgram::interrupt() {
  const auto child = std::exchange(child_, 0);
  kill(child, SIGINT);
  std::array<char, 256> rest;
  while (read(output_, rest.data(), rest.size()) > 0) {
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace stillpoint::app::testing
