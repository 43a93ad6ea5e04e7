#include "support.h"

#include <sys/wait.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

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

at::Tensor sample_inputs(const Experiment& experiment, std::int64_t count) {
  torch::manual_seed(7);
  switch (experiment.task) {
    case Task::Classes:
      return torch::rand({count, 784});
    case Task::Characters:
      return torch::randint(256, {count, 64}, torch::kLong);
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

}  // namespace stillpoint::app::testing
