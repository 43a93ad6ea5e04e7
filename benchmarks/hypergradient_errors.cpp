// How far derivatives of a minimizer are from the true ones, by rule and by how long it was looked for: those
// of the loss on other data in the logarithm of a penalty, first and second, beside their memory. The
// minimization is gradient descent with a constant step. The truth is Newton's method to 1e-13.
//   build/benchmarks/stillpoint_hypergradient_errors

#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "peak_bytes.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;
using torch::Tensor;

namespace {

constexpr std::int64_t kFeatures = 20, kTruncated = 10;

struct Samples {
  Tensor features, labels;

  Tensor loss(const Tensor& w) const {  // w: [1, 20]
    return torch::binary_cross_entropy_with_logits(features.mv(w[0]), labels);
  }
  Tensor gradient(const Tensor& w) const {
    return (torch::sigmoid(features.mv(w[0])) - labels).unsqueeze(0).mm(features) / labels.size(0);
  }
};

struct Regression {
  Samples train, other;
  Tensor log_penalty = torch::tensor(-3.0, torch::kDouble).requires_grad_();

  Tensor start() const { return torch::zeros({1, kFeatures}, torch::kDouble); }
  Tensor residual(const Tensor& w) const { return train.gradient(w) + log_penalty.exp() * w; }
  Tensor descend(Tensor w, std::int64_t steps) const {
    for (std::int64_t i = 0; i < steps; ++i) w = w - 1.0 * residual(w);
    return w;
  }
};

struct Derivatives {
  double first, second;
};

// Of the loss on other data at the w that `fit` finds.
Derivatives derivatives(const Regression& problem, const std::function<Tensor()>& fit) {
  const Tensor loss = problem.other.loss(fit());
  const Tensor first = torch::autograd::grad({loss}, {problem.log_penalty}, {}, true, true)[0];
  const Tensor second = torch::autograd::grad({first}, {problem.log_penalty})[0];
  return {first.item<double>(), second.item<double>()};
}

std::int64_t memory(const Regression& problem, const std::function<Tensor()>& fit) {
  return peak_bytes([&] { torch::autograd::grad({problem.other.loss(fit())}, {problem.log_penalty}); });
}

}  // namespace

int main() {
  torch::manual_seed(3);
  at::set_num_threads(1);
  const Tensor truth = torch::cat({torch::ones({4}, torch::kDouble), torch::zeros({16}, torch::kDouble)});
  const auto draw = [&](std::int64_t count) {
    const Tensor features = torch::randn({count, kFeatures}, torch::kDouble);
    const Tensor noise = torch::randn({count}, torch::kDouble);
    return Samples{features, (features.mv(truth) + noise > 0).to(torch::kDouble)};
  };
  const Samples train = draw(50), other = draw(500);
  const Regression problem{train, other};
  const auto objective = [&](const Tensor& w) {
    return problem.train.loss(w).unsqueeze(0) + 0.5 * problem.log_penalty.exp() * w.square().sum(1);
  };
  const auto exactly = [&] {
    return sp::minimize(objective, problem.start(),
                        {.solver = sp::optim::Newton{},
                         .tolerance = {.relative = 1e-13, .absolute = 0.0},
                         .gradient = sp::ImplicitGradient{.tolerance = {.relative = 1e-13, .absolute = 0.0}}})
        .value;
  };
  const Tensor minimum = exactly().detach();
  const Derivatives right = derivatives(problem, exactly);
  std::printf("d loss / d log penalty %.6e, second %.6e\n\n", right.first, right.second);
  std::printf("| steps | error of w | rule | first | second | KiB |\n|---|---|---|---|---|---|\n");
  for (const std::int64_t steps : {10, 30, 100, 300}) {
    const auto plain = [&] {
      const torch::NoGradGuard no_grad;
      return problem.descend(problem.start(), steps);
    };
    const auto implicit = [&] {
      return sp::optimum([&](const Tensor&) { return plain(); },
                         [&](const Tensor& w) { return problem.residual(w); }, problem.start(),
                         {.structure = sp::Structure::PositiveDefinite, .on_failure = sp::OnFailure::Ignore})
          .value;
    };
    const auto unrolled = [&] { return problem.descend(problem.start(), steps); };
    const auto truncated = [&] {
      Tensor before;
      {
        const torch::NoGradGuard no_grad;
        before = problem.descend(problem.start(), steps - kTruncated);
      }
      return problem.descend(before, kTruncated);
    };
    const double away = (plain() - minimum).norm().item<double>() / minimum.norm().item<double>();
    const auto row = [&](const char* rule, const std::function<Tensor()>& fit) {
      const Derivatives got = derivatives(problem, fit);
      std::printf("| %lld | %.0e | %s | %.0e | %.0e | %.1f |\n", static_cast<long long>(steps), away, rule,
                  std::abs(got.first / right.first - 1), std::abs(got.second / right.second - 1),
                  static_cast<double>(memory(problem, fit)) / 1024);
    };
    row("implicit", implicit);
    row("unrolled", unrolled);
    row("truncated to 10 steps", truncated);
  }
}
