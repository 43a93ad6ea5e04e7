// Several threads with one graph, one map, one module. Run under the thread sanitizer, too.
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "threads/cases.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;
using Tensors = std::vector<Tensor>;

constexpr int kPasses = 6;  // of each thread

// Runs `work(i)` in threads that begin together. What one throws is a failure.
template <class Work>
void together(int threads, const Work& work) {
  std::latch start(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      try {
        work(i);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
}

class Threads : public testing::TestWithParam<Case> {
 protected:
  Tensors gradients(const Tensor& out, int order) const {
    const Tensors first = grad({out.square().sum()}, {w_, x_}, {}, /*retain_graph=*/true, order > 1);
    if (order == 1) return first;
    return grad({first[0].square().sum() + first[1].sin().sum()}, {w_, x_}, {}, /*retain_graph=*/true);
  }

  const Tensor w_ = (0.3 * normal({4, 4})).requires_grad_();
  const Tensor x_ = normal({3, 4}).requires_grad_();
};

TEST_P(Threads, ShareAGraph) {
  const Case& layer = GetParam();
  const Tensor out = layer.layer(w_, x_);
  std::vector<Tensors> expected{gradients(out, 1)};
  if (layer.orders > 1) expected.push_back(gradients(out, 2));
  const Tensor again = layer.orders > 1 ? out : layer.layer(w_, x_);
  for (const int threads : {2, 3, 8}) {
    std::vector<std::vector<Tensors>> got(threads);
    together(threads, [&](int i) {
      for (int pass = 0; pass < kPasses; ++pass) {
        got[i].push_back(gradients(again, 1 + (i + pass) % layer.orders));
      }
    });
    for (int i = 0; i < threads; ++i) {
      for (int pass = 0; pass < kPasses; ++pass) {
        const int order = 1 + (i + pass) % layer.orders;
        const double tolerance = order == 1 ? layer.tolerance : 1e-10;
        for (std::size_t k = 0; k < 2; ++k) {
          EXPECT_TRUE(close(got[i][pass][k], expected[order - 1][k], tolerance))
              << threads << " threads, thread " << i << ", pass " << pass << ", order " << order;
        }
      }
    }
  }
}

// Without retain_graph the first pass through a node frees what the others are reading: each is right, or
// told so.
TEST_P(Threads, ThatReleaseAGraphAreRightOrTold) {
  const Tensor weights = normal({3, 4});
  const auto gradient = [&](const Tensor& out) { return grad({out}, {w_, x_}, {weights}); };
  const Tensors expected = gradient(GetParam().layer(w_, x_));
  for (int round = 0; round < kPasses; ++round) {
    const Tensor out = GetParam().layer(w_, x_);
    std::vector<Tensors> got(3);
    together(3, [&](int i) {
      try {
        got[i] = gradient(out);
      } catch (const std::exception& error) {
        EXPECT_NE(std::string(error.what()).find("a second time"), std::string::npos) << error.what();
      }
    });
    for (const Tensors& each : got) {
      for (std::size_t k = 0; k < each.size(); ++k) {
        EXPECT_TRUE(close(each[k], expected[k], GetParam().tolerance));
      }
    }
  }
}

// Solves of several threads with one map, each with a graph of its own.
TEST_P(Threads, ShareAMap) {
  const Tensors expected = gradients(GetParam().layer(w_, x_), 1);
  together(3, [&](int) {
    for (int pass = 0; pass < kPasses; ++pass) {
      const Tensors got = gradients(GetParam().layer(w_, x_), 1);
      for (std::size_t k = 0; k < 2; ++k) EXPECT_TRUE(close(got[k], expected[k], GetParam().tolerance));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, Threads, testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = tested.param.name;
  std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return name;
});

// Forward passes of one module write its report.
TEST(ThreadsOfAModule, EachGetTheirValue) {
  nn::MonotoneLinear monotone(4, 4);
  monotone->to(torch::kDouble);
  const Tensor x = normal({3, 4});
  const Tensor expected = monotone->forward(x);
  together(3, [&](int) {
    for (int pass = 0; pass < kPasses; ++pass) EXPECT_TRUE(identical(monotone->forward(x), expected));
  });
  EXPECT_TRUE(monotone->stats().converged());
}

}  // namespace
}  // namespace stillpoint::test
