#pragma once

#include <string>
#include <vector>

namespace stillpoint::ode {

/// An explicit Runge–Kutta method as data: k_i = f(t + c_i h, y + h Σ_j a_ij k_j), and y + h Σ b_i k_i is the
/// next state.
struct Tableau {
  int order = 0;                       ///< of the value that is stepped on
  int embedded_order = 0;              ///< of the value that it is compared with; 0: there is none
  std::vector<double> c;               ///< one number a stage
  std::vector<std::vector<double>> a;  ///< row i has i numbers
  std::vector<double> b;
  std::vector<double> error = {};  ///< b − b̂, so that h Σ error_i k_i estimates the error; empty: no estimate
  /// Dense output: y(t + θh) = y + h Σ b_i(θ) k_i with b_i(θ) = Σ_m interpolant[i][m] θ^(m+1). Empty: there
  /// is none, and an output inside a step is a shorter step of the method itself.
  std::vector<std::vector<double>> interpolant = {};

  std::size_t stages() const { return b.size(); }
  /// Whether the last stage is f at the end of the step, which is the first stage of the next one.
  bool first_same_as_last() const {
    return c.back() == 1.0 && a.back().size() + 1 == b.size() && ends_alike();
  }

 private:
  bool ends_alike() const {
    for (std::size_t j = 0; j < a.back().size(); ++j) {
      if (a.back()[j] != b[j]) return false;
    }
    return b.back() == 0.0;
  }
};

}  // namespace stillpoint::ode
