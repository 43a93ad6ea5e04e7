#pragma once

#include <string>
#include <vector>

#include "stillpoint/core/map.h"
#include "support/device.h"

namespace stillpoint::test {

/// A fixed point that is known.
struct Problem {
  std::string name;
  Map f;
  Tensor z0;
  Tensor solution;
  bool contracts;        ///< Picard converges from z0
  double amplification;  ///< ‖z − z*‖ ≤ amplification · ‖f(z) − z‖ near z*
};

/// z = cos z: the Dottie number. (OEIS A003957.)
Problem cosine(torch::Dtype dtype);
/// z = cos z + π/2, whose slope at the solution π/2 is −1: Picard hardly moves. (JAXopt's tests.)
Problem shifted_cosine(torch::Dtype dtype);
/// z = diag(.9, .99, .999) z from (1, .4, −.2): z* = 0, slowly. (JAXopt's tests of fixed-point iterations.)
Problem slow_diagonal(torch::Dtype dtype);
/// Rotations of the plane by π/2, π/3, π/4, π/5, π/6, one a sample, about a center. Picard goes round in
/// circles. (JAXopt's tests of Anderson acceleration.)
Problem rotations(torch::Dtype dtype);
/// z = θ z with θ = (.05, .2): z* = 0 whatever θ is, so its gradient is zero.
Problem scaling(torch::Dtype dtype);
/// Kepler's equation E = M + e sin E for eccentricities .1 to .7, with M made from E. (Meeus, Astronomical
/// Algorithms, chapter 30.)
Problem kepler(torch::Dtype dtype);
/// Heron's iteration z = (z + a / z) / 2 for √a: the Jacobian vanishes at the solution.
Problem heron(torch::Dtype dtype);
/// z = A z + b, see `affine_matrix`; the solution is LibTorch's dense one.
Problem affine(double radius, bool normal, torch::Dtype dtype);
/// A layer with LibTorch's default initialization, z = tanh(W z + b + x) of width 50, on 10 normal rows. The
/// solution comes from 400 steps in double.
Problem tanh_layer(torch::Dtype dtype);

/// All of the above.
std::vector<Problem> known_problems(torch::Dtype dtype);

/// A matrix of this spectral radius: orthogonally similar to a diagonal one with entries of both signs
/// (normal), or else to a random triangular one.
Tensor affine_matrix(std::int64_t width, double radius, bool normal);
/// A random matrix of this largest singular value, which shrinks every vector if that is below 1.
Tensor contraction_matrix(std::int64_t width, double norm, bool normal);

}  // namespace stillpoint::test
