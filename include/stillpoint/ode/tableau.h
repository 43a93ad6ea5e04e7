#pragma once

#include <string>
#include <vector>

namespace stillpoint::ode {

/// An explicit or diagonally implicit Runge–Kutta method as data: k_i = f(t + c_i h, y + h Σ_j a_ij k_j), and
/// y + h Σ b_i k_i is the next state.
struct Tableau {
  int order = 0;  ///< of the value that is stepped on
  /// Of the value that it is compared with; 0: there is none. No more than `order`: where the other value is
  /// the better one, the estimate is that of the error of this one, and `order` is meant.
  int embedded_order = 0;
  std::vector<double> c;  ///< one number a stage
  /// Row i has i numbers, or i + 1 if the stage is implicit.
  std::vector<std::vector<double>> a;
  std::vector<double> b;
  std::vector<double> error = {};  ///< b − b̂, so that h Σ error_i k_i estimates the error; empty: no estimate
  /// Dense output: y(t + θh) = y + h Σ b_i(θ) k_i with b_i(θ) = Σ_m interpolant[i][m] θ^(m+1). Empty: there
  /// is none, and an output inside a step is a shorter step of the method itself.
  std::vector<std::vector<double>> interpolant = {};
  /// Whether the estimate is multiplied by (I − hγ ∂f/∂y)⁻¹, without which it is far too large where the
  /// equation is stiff and b̂ is not made for that. (Hosea, Shampine 1996, "Analysis and implementation of
  /// TR-BDF2".)
  bool damped_error = false;

  std::size_t stages() const { return b.size(); }
  /// Whether stage i is an equation for its slope.
  bool is_implicit(std::size_t i) const { return a[i].size() > i && a[i][i] != 0.0; }
  bool is_implicit() const {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (is_implicit(i)) return true;
    }
    return false;
  }
  /// Whether the last stage is f at the end of the step, which is the first stage of the next one.
  bool first_same_as_last() const {
    return c.back() == 1.0 && !is_implicit(0) && stages() > 1 && ends_alike();
  }

 private:
  bool ends_alike() const {
    const std::vector<double>& last = a.back();
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (b[j] != (j < last.size() ? last[j] : 0.0)) return false;
    }
    return last.size() + 1 >= b.size();
  }
};

}  // namespace stillpoint::ode
