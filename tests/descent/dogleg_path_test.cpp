#include "descent/dogleg_path.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rows/rows.h"
#include "support/compare.h"
#include "support/device.h"

namespace stillpoint::test {
namespace {

using detail::DoglegPath;
using detail::matrix_times;

// The model ‖r − A d‖² of random systems: its path, and what lies on it.
struct LeastSquares {
  explicit LeastSquares(std::int64_t batch = 4, std::int64_t width = 6, torch::Dtype dtype = at::kDouble)
      : a(normal({batch, width, width}, dtype)), r(normal({batch, width}, dtype)) {}

  Tensor descent() const { return matrix_times(a.transpose(1, 2), r); }
  Tensor curvature() const { return matrix_times(a, descent()).square().sum(1, true); }
  Tensor cauchy() const { return descent() * descent().square().sum(1, true) / curvature(); }
  Tensor newton() const { return torch::linalg_solve(a, r.unsqueeze(2)).squeeze(2); }
  DoglegPath path() const { return {descent(), curvature(), newton()}; }
  Tensor value(const Tensor& d) const { return (r - matrix_times(a, d)).square().sum(1); }

  Tensor a, r;
};

Tensor lengths_of(const Tensor& rows) { return rows.norm(2, 1, true); }

TEST(DoglegPath, IsKnownForADiagonalModel) {
  // A = diag(1, 2), r = (1, 1): down (1, 2) to 5/17 of it, then to (1, 1/2).
  const Tensor descent = vector({1, 2}).view({1, 2}), newton = vector({1, 0.5}).view({1, 2});
  const DoglegPath path(descent, vector({17}).view({1, 1}), newton);
  const auto at = [&](double radius) { return path.point(vector({radius}).view({1, 1})); };
  EXPECT_TRUE(close(at(0.0), zeros({1, 2}), 1e-15));
  EXPECT_TRUE(close(at(0.5), 0.5 / std::sqrt(5.0) * descent, 1e-15));
  EXPECT_TRUE(close(at(std::sqrt(125.0) / 17.0), 5.0 / 17.0 * descent, 1e-15));
  // Halfway on the second leg: (22/34, 18.5/34).
  const Tensor half = vector({22.0, 18.5}).view({1, 2}) / 34.0;
  EXPECT_TRUE(close(at(half.norm().item<double>()), half, 1e-15));
  EXPECT_TRUE(identical(at(2.0), newton));
}

TEST(DoglegPath, LeadsToTheGivenDistance) {
  for (const torch::Dtype dtype : {at::kDouble, at::kFloat}) {
    torch::manual_seed(1);
    const LeastSquares model(4, 6, dtype);
    const DoglegPath path = model.path();
    const Tensor end = lengths_of(model.newton());
    for (const double part : {1e-6, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0 - 1e-6}) {
      const Tensor distance = lengths_of(path.point(part * end)) / (part * end);
      EXPECT_TRUE(close(distance, torch::ones_like(distance), dtype == at::kDouble ? 1e-13 : 1e-5)) << part;
    }
    EXPECT_TRUE(identical(path.point(1.001 * end), model.newton()));
  }
}

TEST(DoglegPath, FollowsItsTwoLegs) {
  torch::manual_seed(2);
  const LeastSquares model;
  const Tensor cauchy = model.cauchy(), leg = model.newton() - cauchy;
  const Tensor before = model.path().point(0.9 * lengths_of(cauchy));
  EXPECT_TRUE(close(before, 0.9 * cauchy, 1e-14));
  const Tensor middle = cauchy + 0.3 * leg;
  EXPECT_TRUE(close(model.path().point(lengths_of(middle)), middle, 1e-12));
}

TEST(DoglegPath, FallsAllTheWay) {
  torch::manual_seed(3);
  const LeastSquares model(8);
  const DoglegPath path = model.path();
  Tensor before = model.value(torch::zeros_like(model.r));
  for (double part = 0.02; part <= 1.0; part += 0.02) {
    const Tensor now = model.value(path.point(part * lengths_of(model.newton())));
    EXPECT_TRUE((now < before).all().item<bool>()) << part;
    before = now;
  }
}

// With A = I both legs end at the same point; and at the minimum there is nowhere to go.
TEST(DoglegPath, MayHaveALegOfNoLength) {
  const Tensor r = vector({3, 4}).view({1, 2});
  const DoglegPath straight(r, r.square().sum(1, true), r);
  EXPECT_TRUE(close(straight.point(vector({2.5}).view({1, 1})), 0.5 * r, 1e-15));
  EXPECT_TRUE(close(straight.point(vector({5.0}).view({1, 1})), r, 1e-15));
  const Tensor none = zeros({1, 2});
  EXPECT_TRUE(identical(DoglegPath(none, zeros({1, 1}), none).point(vector({1.0}).view({1, 1})), none));
}

TEST(DoglegPath, KeepsNanInItsSample) {
  torch::manual_seed(4);
  const LeastSquares model;
  const Tensor radius = 0.5 * lengths_of(model.newton());
  const Tensor clean = model.path().point(radius);
  Tensor newton = model.newton();
  newton[1].fill_(NAN);
  const Tensor d = DoglegPath(model.descent(), model.curvature(), newton).point(radius);
  for (const int b : {0, 2, 3}) EXPECT_TRUE(identical(d[b], clean[b])) << b;
}

}  // namespace
}  // namespace stillpoint::test
