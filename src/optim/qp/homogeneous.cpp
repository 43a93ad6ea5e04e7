#include "optim/qp/homogeneous.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "optim/qp/complement_system.h"
#include "optim/qp/normal_system.h"
#include "optim/sparse/sparse_system.h"

namespace stillpoint::detail {
namespace {

using optim::ProgramStatus;

// By how much a certificate may miss, with its product with the data at −1: it then rules out every x with
// |x| below the inverse of this.
constexpr double kCertificate = 1e-9;

// The iterate, or a step: the duals l of A and G together, and the slack, which is zero for A.
struct Iterate {
  Vector x, l, s;
  double tau = 0.0, kappa = 0.0;
};

template <class System>
class Embedding {
 public:
  Embedding(System system, const Vector& p, const Vector& d)
      : system_(std::move(system)), p_(p), d_(d), k_(system_.equalities()), m_(system_.rows() - k_) {
    slope_ = p;
    for (double& v : slope_) v = -v;
  }

  bool start();
  bool step();
  Measure measure();  // of x/τ; updates the residuals that the others use
  void put(Outcome& outcome) const;
  // Whether the iterate proves that there is no solution; then what proves it.
  bool proves(Outcome& outcome) const;

 private:
  double mean() const;
  enum class Kind : std::uint8_t { Predictor, Step };
  void direction(Kind kind, double tau_product, double keep, Iterate& d);
  void solve_for(Kind kind, Iterate& d);
  double length(const Iterate& d) const;
  std::int64_t end() const { return k_ + m_; }

  System system_;
  const Vector& p_;
  const Vector& d_;
  std::int64_t k_, m_;
  Vector slope_;  // −p
  Iterate at_;
  Vector qx_, dual_, primal_;  // Qx, and the residuals
  double balance_ = 0.0;       // the residual of κ + p'x + …
  Iterate constant_;           // the solution for [−p; d], by which x and l follow τ
  Iterate step_;
  Vector w_, product_, f_, g_, away_, pushed_, pull_;  // kept for their memory
};

template <class System>
bool Embedding<System>::start() {
  Vector w(k_ + m_, 0.0);
  std::fill(w.begin() + k_, w.end(), 1.0);
  if (!system_.factorize(w)) return false;
  system_.solve(slope_, d_, at_.x, at_.l);
  at_.s.assign(k_ + m_, 0.0);
  double least_s = std::numeric_limits<double>::infinity();
  double least_z = least_s;
  for (std::int64_t i = k_; i < end(); ++i) {
    at_.s[i] = -at_.l[i];
    least_s = std::min(least_s, at_.s[i]);
    least_z = std::min(least_z, at_.l[i]);
  }
  for (std::int64_t i = k_; i < end(); ++i) {
    if (least_s <= 0.0) at_.s[i] += 1.0 - least_s;
    if (least_z <= 0.0) at_.l[i] += 1.0 - least_z;
  }
  at_.tau = at_.kappa = 1.0;
  return true;
}

template <class System>
Measure Embedding<System>::measure() {
  qx_.assign(at_.x.size(), 0.0);
  system_.add_curvature(1.0, at_.x, qx_);
  pull_.assign(at_.x.size(), 0.0);
  system_.add_pull(1.0, at_.l, pull_);
  primal_.assign(end(), 0.0);
  system_.add_push(1.0, at_.x, primal_);
  const double curvature = dot(at_.x, qx_) / at_.tau;
  const double slope = dot(p_, at_.x);
  const double side = dot(d_, at_.l);
  const double primal_scale = at_.tau * (1.0 + largest(d_)) + largest(primal_);
  const double dual_scale = at_.tau * (1.0 + largest(p_)) + std::max(largest(qx_), largest(pull_));

  dual_ = qx_;
  axpy(1.0, pull_, dual_);
  axpy(at_.tau, p_, dual_);
  axpy(1.0, at_.s, primal_);
  axpy(-at_.tau, d_, primal_);
  balance_ = at_.kappa + slope + side + curvature;
  const double values = std::max(std::abs(curvature / 2 + slope), std::abs(curvature / 2 + side));
  return {largest(primal_) / primal_scale, largest(dual_) / dual_scale,
          std::abs(curvature + slope + side) / (at_.tau + values)};
}

template <class System>
double Embedding<System>::mean() const {
  return (dot(at_.s, at_.l) + at_.tau * at_.kappa) / static_cast<double>(m_ + 1);
}

// A predictor says how far to center, and how s and l bend; it need not be exact.
template <class System>
void Embedding<System>::solve_for(Kind kind, Iterate& d) {
  if constexpr (requires { system_.solve_roughly(f_, g_, d.x, d.l); }) {
    if (kind == Kind::Predictor) return system_.solve_roughly(f_, g_, d.x, d.l);
  }
  system_.solve(f_, g_, d.x, d.l);
}

// The step that takes s·l to s·l − product, κτ likewise, and the residuals to `keep` of what they are.
template <class System>
void Embedding<System>::direction(Kind kind, double tau_product, double keep, Iterate& d) {
  const double gain = 1.0 - keep;
  f_ = dual_;
  for (double& v : f_) v *= -gain;
  g_ = primal_;
  for (double& v : g_) v *= -gain;
  for (std::int64_t i = k_; i < end(); ++i) g_[i] += product_[i] / at_.l[i];
  solve_for(kind, d);

  const Vector& x1 = constant_.x;
  const Vector& l1 = constant_.l;
  away_ = x1;
  axpy(-1.0 / at_.tau, at_.x, away_);
  pushed_.assign(away_.size(), 0.0);
  system_.add_curvature(1.0, away_, pushed_);
  double slope = at_.kappa / at_.tau + dot(away_, pushed_);
  for (std::int64_t i = k_; i < end(); ++i) slope += l1[i] * l1[i] * at_.s[i] / at_.l[i];
  const double along = dot(p_, d.x) + 2.0 * dot(qx_, d.x) / at_.tau + dot(d_, d.l);
  d.tau = (gain * balance_ - tau_product / at_.tau + along) / slope;
  axpy(d.tau, x1, d.x);
  axpy(d.tau, l1, d.l);
  d.kappa = (-tau_product - at_.kappa * d.tau) / at_.tau;
  d.s.assign(k_ + m_, 0.0);
  for (std::int64_t i = k_; i < end(); ++i) d.s[i] = (-product_[i] - at_.s[i] * d.l[i]) / at_.l[i];
}

template <class System>
double Embedding<System>::length(const Iterate& d) const {
  double most = 1.0;
  const auto limit = [&](double value, double change) {
    if (change < 0.0) most = std::min(most, -value / change);
  };
  for (std::int64_t i = k_; i < end(); ++i) {
    limit(at_.s[i], d.s[i]);
    limit(at_.l[i], d.l[i]);
  }
  limit(at_.tau, d.tau);
  limit(at_.kappa, d.kappa);
  return most;
}

template <class System>
bool Embedding<System>::step() {
  w_.assign(end(), 0.0);
  for (std::int64_t i = k_; i < end(); ++i) w_[i] = at_.s[i] / at_.l[i];
  if (!system_.factorize(w_)) return false;
  system_.solve(slope_, d_, constant_.x, constant_.l);

  Iterate& d = step_;
  product_.assign(end(), 0.0);
  for (std::int64_t i = k_; i < end(); ++i) product_[i] = at_.s[i] * at_.l[i];
  direction(Kind::Predictor, at_.tau * at_.kappa, 0.0, d);
  const double centering = std::pow(1.0 - length(d), 3);
  const double target = centering * mean();
  for (std::int64_t i = k_; i < end(); ++i) product_[i] += d.s[i] * d.l[i] - target;
  direction(Kind::Step, at_.tau * at_.kappa + d.tau * d.kappa - target, centering, d);

  constexpr double short_of_boundary = .99;
  const double taken = std::min(1.0, short_of_boundary * length(d));
  if (!std::isfinite(d.tau) || !std::isfinite(dot(d.x, d.x))) return false;
  axpy(taken, d.x, at_.x);
  axpy(taken, d.l, at_.l);
  axpy(taken, d.s, at_.s);
  at_.tau += taken * d.tau;
  at_.kappa += taken * d.kappa;
  // The embedding is homogeneous: its scale is free, and kept near 1.
  const double scale = 1.0 / std::max(at_.tau, at_.kappa);
  for (Vector* v : {&at_.x, &at_.l, &at_.s}) {
    for (double& value : *v) value *= scale;
  }
  at_.tau *= scale;
  at_.kappa *= scale;
  return true;
}

template <class System>
void Embedding<System>::put(Outcome& outcome) const {
  outcome.point = {at_.x,
                   {at_.l.begin(), at_.l.begin() + k_},
                   {at_.l.begin() + k_, at_.l.end()},
                   {at_.s.begin() + k_, at_.s.end()}};
  outcome.active.clear();
  for (std::int64_t i = 0; i < m_; ++i) {
    if (outcome.point.z[i] > outcome.point.s[i]) outcome.active.push_back(i);
  }
  for (Vector* v : {&outcome.point.x, &outcome.point.y, &outcome.point.z, &outcome.point.s}) {
    for (double& value : *v) value /= at_.tau;
  }
}

template <class System>
bool Embedding<System>::proves(Outcome& outcome) const {
  // Without inequalities, τ and κ have nothing to be weighed against.
  if (at_.tau >= at_.kappa && m_ > 0) return false;
  const auto scaled = [](Vector v, double size) {
    for (double& value : v) value /= size;
    return v;
  };
  const double blocked = -dot(d_, at_.l);
  Vector pull(at_.x.size(), 0.0);
  system_.add_pull(1.0, at_.l, pull);
  if (blocked > 0.0 && largest(pull) <= kCertificate * blocked) {
    const Vector l = scaled(at_.l, blocked);
    outcome.status = ProgramStatus::Infeasible;
    outcome.point.s.assign(m_, 0.0);
    outcome.point.y.assign(l.begin(), l.begin() + k_);
    outcome.point.z.assign(l.begin() + k_, l.end());
    return true;
  }
  const double falls = -dot(p_, at_.x);
  Vector qx(at_.x.size(), 0.0);
  system_.add_curvature(1.0, at_.x, qx);
  Vector crossed = at_.s;
  system_.add_push(1.0, at_.x, crossed);
  if (falls > 0.0 && std::max(largest(qx), largest(crossed)) <= kCertificate * falls) {
    outcome.status = ProgramStatus::Unbounded;
    outcome.point.x = scaled(at_.x, falls);
    return true;
  }
  return false;
}

}  // namespace

template <class System>
Outcome solve_homogeneous(System system, const Vector& p, const Vector& d, const InstanceOptions& options,
                          const std::function<bool(const Outcome&)>& polish) {
  constexpr double active_rows_show = 1e-3;
  const std::int64_t k = system.equalities();
  const std::int64_t m = system.rows() - k;
  Outcome best;
  best.point = {Vector(p.size(), 0.0), Vector(k, 0.0), Vector(m, 0.0), Vector(m, 0.0)};
  Embedding<System> embedding(std::move(system), p, d);
  if (!embedding.start()) return best;
  double least = std::numeric_limits<double>::infinity();
  bool polished = false;
  for (std::int64_t i = 0;; ++i) {
    best.iterations = i;
    const double error = embedding.measure().worst();
    if (error < least) {
      least = error;
      embedding.put(best);
    }
    if (least <= options.tolerance) {
      best.status = ProgramStatus::Optimal;
      return best;
    }
    if (!polished && least <= active_rows_show) {
      polished = true;
      if (polish(best)) return best;
    }
    if (embedding.proves(best)) return best;
    if (i == options.max_iterations) {
      best.status = ProgramStatus::IterationLimit;
      return best;
    }
    if (!embedding.step()) return best;
  }
}

template Outcome solve_homogeneous(ComplementSystem system, const Vector& p, const Vector& d,
                                   const InstanceOptions& options,
                                   const std::function<bool(const Outcome&)>& polish);
template Outcome solve_homogeneous(SparseSystem system, const Vector& p, const Vector& d,
                                   const InstanceOptions& options,
                                   const std::function<bool(const Outcome&)>& polish);
template Outcome solve_homogeneous(NormalSystem system, const Vector& p, const Vector& d,
                                   const InstanceOptions& options,
                                   const std::function<bool(const Outcome&)>& polish);

}  // namespace stillpoint::detail
