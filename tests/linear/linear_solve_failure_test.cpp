// What the differentiable solve says when it fails, forward and backward, and when it is misused.
#include <gtest/gtest.h>

#include <stdexcept>

#include "linear/candidates.h"
#include "linear/systems.h"
#include "stillpoint/stillpoint.h"
#include "support/compare.h"
#include "support/problems.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

using torch::autograd::grad;

const LinearSolver kTooFew = Gmres{.max_iterations = 1};

struct SlowSystem {
  Tensor matrix = torch::eye(6, options()) - affine_matrix(6, 0.9, false).to(options());
  Tensor b = normal({3, 6}).requires_grad_();

  Solution<Tensor> solve(OnFailure on_failure, const LinearSolver& forward,
                         const LinearSolver& backward) const {
    return linear_solve(matrix, b,
                        {.solver = forward, .transposed_solver = backward, .on_failure = on_failure});
  }
};

TEST(ForwardFailure, Throws) {
  const auto message = error_of([] { SlowSystem{}.solve(OnFailure::Throw, kTooFew, DenseLu{}); });
  for (const char* part : {"not converged", "Gmres", "max iterations", "#0", "residual"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from " << message;
  }
}

TEST(ForwardFailure, WarnsOnce) {
  const WarningRecorder warnings;
  const auto stats = SlowSystem{}.solve(OnFailure::Warn, kTooFew, DenseLu{}).stats;
  ASSERT_EQ(warnings.messages().size(), 1u);
  EXPECT_NE(warnings.messages()[0].find(stats.brief()), std::string::npos) << warnings.messages()[0];
}

TEST(ForwardFailure, IsDataWhereItIsIgnored) {
  const SlowSystem layer;
  const WarningRecorder warnings;
  const auto [value, stats] = layer.solve(OnFailure::Ignore, kTooFew, DenseLu{});
  EXPECT_EQ(stats.count(Status::MaxIterations), 3);
  EXPECT_TRUE(close(vector(stats.residual), norms_of(layer.b - value.matmul(layer.matrix.t())), 1e-14));
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(ForwardFailure, SaysNothingOfSuccess) {
  const WarningRecorder warnings;
  SlowSystem{}
      .solve(OnFailure::Warn, AutomaticLinearSolver{}, AutomaticLinearSolver{})
      .value.sum()
      .backward();
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(BackwardFailure, Throws) {
  const auto value = SlowSystem{}.solve(OnFailure::Throw, DenseLu{}, kTooFew).value;
  expect_error([&] { value.sum().backward(); }, "not converged");
}

TEST(BackwardFailure, WarnsOnce) {
  const auto value = SlowSystem{}.solve(OnFailure::Warn, DenseLu{}, kTooFew).value;
  const WarningRecorder warnings;
  value.sum().backward();
  EXPECT_EQ(warnings.messages().size(), 1u);
}

TEST(BackwardFailure, IsDataWhereItIsIgnored) {
  const SlowSystem layer;
  const auto [value, stats] = layer.solve(OnFailure::Ignore, DenseLu{}, kTooFew);
  ASSERT_TRUE(stats.backward);
  EXPECT_TRUE(stats.backward->status.empty()) << "there was no backward pass yet";
  const Tensor g = normal({3, 6});
  const WarningRecorder warnings;
  const Tensor u = grad({value}, {layer.b}, {g})[0];
  EXPECT_TRUE(warnings.messages().empty());
  EXPECT_EQ(stats.backward->count(Status::MaxIterations), 3);
  EXPECT_EQ(stats.backward->method, "Gmres");
  EXPECT_TRUE(close(vector(stats.backward->residual), norms_of(g - u.matmul(layer.matrix)), 1e-13));
  EXPECT_NE(stats.full().find("backward"), std::string::npos);
}

TEST(BackwardReport, GoesOnWithTheOrders) {
  const SlowSystem layer;
  const auto [value, stats] = layer.solve(OnFailure::Throw, DenseLu{}, AutomaticLinearSolver{});
  const Tensor first = grad({value.pow(3).sum()}, {layer.b}, {}, true, true)[0];
  ASSERT_TRUE(stats.backward->converged());
  ASSERT_EQ(stats.backward->status.size(), 3u);
  ASSERT_TRUE(stats.backward->backward);
  EXPECT_TRUE(stats.backward->backward->status.empty());
  grad({first.square().sum()}, {layer.b});
  EXPECT_EQ(stats.backward->backward->status.size(), 3u);
  EXPECT_TRUE(stats.backward->backward->converged());
}

TEST(Singular, IsReportedForItsSampleAlone) {
  Tensor matrices = 2.0 * torch::eye(4, options()) + 0.2 * normal({3, 4, 4});
  matrices[1][0].zero_();
  const Tensor b = normal({3, 4}).requires_grad_();
  const auto [value, stats] = linear_solve(matrices, b, {.on_failure = OnFailure::Ignore});
  const Tensor g = normal({3, 4});
  const Tensor u = grad({value}, {b}, {g})[0];
  for (const Stats& report : {stats, *stats.backward}) {
    EXPECT_EQ(report.count(Status::Converged), 2) << report.full();
    EXPECT_NE(report.status[1], Status::Converged);
  }
  for (const std::int64_t i : {0, 2}) {
    EXPECT_TRUE(close(value[i], torch::linalg_solve(matrices[i], b[i]), 1e-9));
    EXPECT_TRUE(close(u[i], torch::linalg_solve(matrices[i].t(), g[i]), 1e-9));
  }
}

TEST(BadInput, OfTheRightHandSideIsRefused) {
  const Tensor m = torch::eye(3, options());
  const LinearOperator a{.product = [](const Tensor& v) { return 2.0 * v; }};
  for (const Tensor& b : {Tensor(), zeros({}), torch::ones({2, 3}, torch::kLong),
                          torch::ones({2, 3}, torch::kBool), torch::ones({2, 3}, torch::kComplexDouble)}) {
    expect_error([&] { linear_solve(a, b); }, "b:");
    expect_error([&] { linear_solve(m, b); }, "b:");
  }
  expect_error([&] { linear_solve(m, zeros({3})); }, "b:");
  expect_error([&] { linear_solve(m, zeros({2, 3, 1})); }, "b:");
}

TEST(BadInput, OfTheMatrixIsRefused) {
  const Tensor b = zeros({2, 3});
  const auto refused = [&](const Tensor& matrix, const std::string& part) {
    const auto message = error_of([&] { linear_solve(matrix, b); });
    EXPECT_NE(message.find("matrix"), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from " << message;
  };
  refused(Tensor(), "undefined");
  refused(zeros({}), "[2, 3, 3]");
  refused(zeros({3}), "[2, 3, 3]");
  refused(zeros({4, 4}), "[3, 3]");
  refused(zeros({3, 4}), "[3, 3]");
  refused(zeros({1, 3, 3}), "[2, 3, 3]");
  refused(zeros({2, 3, 4}), "[2, 3, 3]");
  refused(zeros({1, 2, 3, 3}), "[2, 3, 3]");
  refused(zeros({3, 3}, torch::kFloat), "Double");
  refused(torch::ones({3, 3}, torch::kLong), "Long");
  refused(torch::empty({3, 3}, options().device(torch::kMeta)), "meta");
}

TEST(BadInput, OfTheProductIsRefused) {
  const Tensor b = normal({2, 3});
  const auto refused = [&](const Map& product, const std::string& part) {
    for (const bool identity_minus : {false, true}) {
      const LinearOperator a{.product = product, .identity_minus = identity_minus};
      for (const LinearCandidate& candidate : linear_candidates()) {
        SCOPED_TRACE(candidate.name);
        const auto message = error_of([&] { linear_solve(a, b, {.solver = candidate.solver}); });
        EXPECT_NE(message.find("a.product"), std::string::npos) << message;
        EXPECT_NE(message.find(part), std::string::npos) << part << " is missing from " << message;
      }
    }
  };
  refused(Map(), "empty");
  refused([](const Tensor&) { return Tensor(); }, "undefined");
  refused([](const Tensor& v) { return v.sum(1, true); }, "[2, 1]");
  refused([](const Tensor& v) { return v.unsqueeze(0); }, "[1, 2, 3]");
  refused([](const Tensor& v) { return v.to(torch::kFloat); }, "Float");
  refused([](const Tensor& v) { return torch::empty_like(v, torch::device(torch::kMeta)); }, "meta");
}

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(BadInput, ThatThrowsIsPassedThrough) {
  for (const int after : {0, 2}) {
    int calls = 0;
    const LinearOperator a{.product = [&](const Tensor& v) {
      if (calls++ == after) throw Mine("product");
      return 3.0 * v;
    }};
    EXPECT_THROW(linear_solve(a, normal({2, 3})), Mine);
  }
}

}  // namespace
}  // namespace stillpoint::test
