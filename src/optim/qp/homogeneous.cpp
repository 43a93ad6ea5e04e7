#include "optim/qp/homogeneous.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/qp/newton_system.h"

namespace stillpoint::detail {
namespace {

using optim::ProgramStatus;

// By how much a certificate may miss, with its product with the data at −1: it then rules out every x with
// |x| below the inverse of this.
constexpr double kCertificate = 1e-9;

Matrix stacked(const Matrix& a, const Matrix& g) {
  Matrix c(a.rows + g.rows, g.cols);
  std::copy(a.data.begin(), a.data.end(), c.data.begin());
  std::copy(g.data.begin(), g.data.end(), c.data.begin() + static_cast<std::ptrdiff_t>(a.data.size()));
  return c;
}

Vector stacked(const Vector& b, const Vector& h) {
  Vector d = b;
  d.insert(d.end(), h.begin(), h.end());
  return d;
}

// The iterate, or a step: the duals l of A and G together, and the slack, which is zero for A.
struct Iterate {
  Vector x, l, s;
  double tau = 0.0, kappa = 0.0;
};

class Embedding {
 public:
  explicit Embedding(const Instance& program)
      : program_(program),
        k_(program.a.rows),
        m_(program.g.rows),
        c_(stacked(program.a, program.g)),
        d_(stacked(program.b, program.h)),
        system_(program.q, c_, k_) {}

  bool start();
  bool step();
  Point point() const;
  // Whether the iterate proves that there is no solution; then what proves it.
  bool proves(Outcome& outcome) const;

 private:
  void residuals();
  double mean() const;
  void direction(const Vector& product, double tau_product, double keep, Iterate& d) const;
  double length(const Iterate& d) const;

  const Instance& program_;
  std::int64_t k_, m_;
  Matrix c_;
  Vector d_;
  NewtonSystem system_;
  Iterate at_;
  Vector qx_, dual_, primal_;  // Qx, and the residuals
  double balance_ = 0.0;       // the residual of κ + p'x + …
  Iterate constant_;           // the solution for [−p; d], by which x and l follow τ
};

bool Embedding::start() {
  Vector w(k_ + m_, 0.0);
  std::fill(w.begin() + k_, w.end(), 1.0);
  if (!system_.factorize(w)) return false;
  Vector f(program_.p);
  for (double& v : f) v = -v;
  system_.solve(f, d_, at_.x, at_.l);
  at_.s.assign(k_ + m_, 0.0);
  double least_s = std::numeric_limits<double>::infinity();
  double least_z = least_s;
  for (std::int64_t i = k_; i < k_ + m_; ++i) {
    at_.s[i] = -at_.l[i];
    least_s = std::min(least_s, at_.s[i]);
    least_z = std::min(least_z, at_.l[i]);
  }
  for (std::int64_t i = k_; i < k_ + m_; ++i) {
    if (least_s <= 0.0) at_.s[i] += 1.0 - least_s;
    if (least_z <= 0.0) at_.l[i] += 1.0 - least_z;
  }
  at_.tau = at_.kappa = 1.0;
  return true;
}

void Embedding::residuals() {
  qx_.assign(at_.x.size(), 0.0);
  multiply(1.0, program_.q, at_.x, qx_);
  dual_ = qx_;
  multiply_transposed(1.0, c_, at_.l, dual_);
  axpy(at_.tau, program_.p, dual_);
  primal_ = at_.s;
  multiply(1.0, c_, at_.x, primal_);
  axpy(-at_.tau, d_, primal_);
  balance_ = at_.kappa + dot(program_.p, at_.x) + dot(d_, at_.l) + dot(at_.x, qx_) / at_.tau;
}

double Embedding::mean() const {
  return (dot(at_.s, at_.l) + at_.tau * at_.kappa) / static_cast<double>(m_ + 1);
}

// The step that takes s·l to s·l − product, κτ likewise, and the residuals to `keep` of what they are.
void Embedding::direction(const Vector& product, double tau_product, double keep, Iterate& d) const {
  const double gain = 1.0 - keep;
  Vector f = dual_;
  for (double& v : f) v *= -gain;
  Vector g = primal_;
  for (double& v : g) v *= -gain;
  for (std::int64_t i = k_; i < k_ + m_; ++i) g[i] += product[i] / at_.l[i];
  system_.solve(f, g, d.x, d.l);

  const Vector& x1 = constant_.x;
  const Vector& l1 = constant_.l;
  Vector away = x1;
  axpy(-1.0 / at_.tau, at_.x, away);
  Vector pushed(away.size(), 0.0);
  multiply(1.0, program_.q, away, pushed);
  double slope = at_.kappa / at_.tau + dot(away, pushed);
  for (std::int64_t i = k_; i < k_ + m_; ++i) slope += l1[i] * l1[i] * at_.s[i] / at_.l[i];
  const double along = dot(program_.p, d.x) + 2.0 * dot(qx_, d.x) / at_.tau + dot(d_, d.l);
  d.tau = (gain * balance_ - tau_product / at_.tau + along) / slope;
  axpy(d.tau, x1, d.x);
  axpy(d.tau, l1, d.l);
  d.kappa = (-tau_product - at_.kappa * d.tau) / at_.tau;
  d.s.assign(k_ + m_, 0.0);
  for (std::int64_t i = k_; i < k_ + m_; ++i) d.s[i] = (-product[i] - at_.s[i] * d.l[i]) / at_.l[i];
}

double Embedding::length(const Iterate& d) const {
  double most = 1.0;
  const auto limit = [&](double value, double change) {
    if (change < 0.0) most = std::min(most, -value / change);
  };
  for (std::int64_t i = k_; i < k_ + m_; ++i) {
    limit(at_.s[i], d.s[i]);
    limit(at_.l[i], d.l[i]);
  }
  limit(at_.tau, d.tau);
  limit(at_.kappa, d.kappa);
  return most;
}

bool Embedding::step() {
  residuals();
  Vector w(k_ + m_, 0.0);
  for (std::int64_t i = k_; i < k_ + m_; ++i) w[i] = at_.s[i] / at_.l[i];
  if (!system_.factorize(w)) return false;
  Vector f(program_.p);
  for (double& v : f) v = -v;
  system_.solve(f, d_, constant_.x, constant_.l);

  Iterate d;
  Vector product(k_ + m_, 0.0);
  for (std::int64_t i = k_; i < k_ + m_; ++i) product[i] = at_.s[i] * at_.l[i];
  direction(product, at_.tau * at_.kappa, 0.0, d);
  const double centering = std::pow(1.0 - length(d), 3);
  const double target = centering * mean();
  for (std::int64_t i = k_; i < k_ + m_; ++i) product[i] += d.s[i] * d.l[i] - target;
  const double tau_product = at_.tau * at_.kappa + d.tau * d.kappa - target;
  direction(product, tau_product, centering, d);

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

Point Embedding::point() const {
  Point point{at_.x,
              {at_.l.begin(), at_.l.begin() + k_},
              {at_.l.begin() + k_, at_.l.end()},
              {at_.s.begin() + k_, at_.s.end()}};
  for (Vector* v : {&point.x, &point.y, &point.z, &point.s}) {
    for (double& value : *v) value /= at_.tau;
  }
  return point;
}

bool Embedding::proves(Outcome& outcome) const {
  // Without inequalities, τ and κ have nothing to be weighed against.
  if (at_.tau >= at_.kappa && m_ > 0) return false;
  const auto scaled = [](Vector v, double size) {
    for (double& value : v) value /= size;
    return v;
  };
  const double blocked = -dot(d_, at_.l);
  Vector pull(at_.x.size(), 0.0);
  multiply_transposed(1.0, c_, at_.l, pull);
  if (blocked > 0.0 && largest(pull) <= kCertificate * blocked) {
    const Vector l = scaled(at_.l, blocked);
    outcome.status = ProgramStatus::Infeasible;
    outcome.point.s.assign(m_, 0.0);
    outcome.point.y.assign(l.begin(), l.begin() + k_);
    outcome.point.z.assign(l.begin() + k_, l.end());
    return true;
  }
  const double falls = -dot(program_.p, at_.x);
  Vector qx(at_.x.size(), 0.0);
  multiply(1.0, program_.q, at_.x, qx);
  Vector crossed = at_.s;
  multiply(1.0, c_, at_.x, crossed);
  if (falls > 0.0 && std::max(largest(qx), largest(crossed)) <= kCertificate * falls) {
    outcome.status = ProgramStatus::Unbounded;
    outcome.point.x = scaled(at_.x, falls);
    return true;
  }
  return false;
}

}  // namespace

Outcome solve_homogeneous(const Instance& program, double tolerance, std::int64_t max_iterations) {
  Outcome best;
  best.point = {Vector(program.q.rows, 0.0), Vector(program.a.rows, 0.0), Vector(program.g.rows, 0.0),
                Vector(program.g.rows, 0.0)};
  best.error = measure(program, best.point);
  Embedding embedding(program);
  if (!embedding.start()) return best;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0;; ++i) {
    best.iterations = i;
    Point now = embedding.point();
    const Measure error = measure(program, now);
    if (error.worst() < least) {
      least = error.worst();
      best.point = std::move(now);
      best.error = error;
    }
    if (least <= tolerance) {
      best.status = ProgramStatus::Optimal;
      return best;
    }
    if (embedding.proves(best)) return best;
    if (i == max_iterations) {
      best.status = ProgramStatus::IterationLimit;
      return best;
    }
    if (!embedding.step()) return best;
  }
}

}  // namespace stillpoint::detail
