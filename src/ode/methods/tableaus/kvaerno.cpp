#include <utility>

#include "ode/methods/tableaus/hermite.h"
#include "stillpoint/ode/methods/implicit.h"

namespace stillpoint::ode {
namespace {

// Of a method whose last two rows are the values of its order and of the one below.
Tableau esdirk(int order, std::vector<double> c, std::vector<std::vector<double>> a) {
  Tableau tableau;
  tableau.order = order;
  tableau.embedded_order = order - 1;
  tableau.c = std::move(c);
  tableau.a = std::move(a);
  tableau.b = tableau.a.back();
  tableau.error = tableau.b;
  const std::vector<double>& embedded = tableau.a[tableau.a.size() - 2];
  for (std::size_t j = 0; j < embedded.size(); ++j) tableau.error[j] -= embedded[j];
  tableau.interpolant = stillpoint::detail::hermite(tableau.b);
  return tableau;
}

}  // namespace

// Kværnø 2004, "Singly diagonally implicit Runge–Kutta methods with an explicit first stage", BIT 44: the
// methods that it calls 3/2a and 5/4a. The free γ of the first one is the root of γ³ − 3γ² + 3γ/2 − 1/6 that
// makes it L-stable.
const Tableau& Kvaerno3::tableau() {
  static const Tableau tableau = [] {
    const double g = 0.43586652150845899942;
    return esdirk(
        3, {0, 2 * g, 1, 1},
        {{},
         {g, g},
         {(-4 * g * g + 6 * g - 1) / (4 * g), (-2 * g + 1) / (4 * g), g},
         {(6 * g - 1) / (12 * g), -1 / ((24 * g - 12) * g), (-6 * g * g + 6 * g - 1) / (6 * g - 3), g}});
  }();
  return tableau;
}

const Tableau& Kvaerno5::tableau() {
  static const Tableau tableau =
      esdirk(5, {0, 0.52, 1.230333209967908, 0.8957659843500759, 0.43639360985864756, 1, 1},
             {{},
              {0.26, 0.26},
              {0.13, 0.84033320996790809, 0.26},
              {0.22371961478320505, 0.47675532319799699, -0.06470895363112615, 0.26},
              {0.16648564323248321, 0.10450018841591720, 0.03631482272098715, -0.13090704451073998, 0.26},
              {0.13855640231268224, 0, -0.04245337201752043, 0.02446657898003141, 0.61943039072480676, 0.26},
              {0.13659751177640291, 0, -0.05496908796538376, -0.04118626728321046, 0.62993304899016403,
               0.06962479448202728, 0.26}});
  return tableau;
}

}  // namespace stillpoint::ode
