#include "stillpoint/ode/methods/runge_kutta.h"

namespace stillpoint::ode {
namespace {

// factor θ² (θ − u)(θ − v)
std::vector<double> from_roots(double factor, double u, double v) {
  return {0, factor * u * v, -factor * (u + v), factor};
}

// factor θ² (θ² + p θ + q)
std::vector<double> from_square(double factor, double p, double q) {
  return {0, factor * q, factor * p, factor};
}

// The first one alone begins with θ: factor θ (θ − u)(θ² + p θ + q).
std::vector<double> first(double factor, double u, double p, double q) {
  return {-factor * u * q, factor * (q - u * p), factor * (p - u), factor};
}

}  // namespace

// Tsitouras 2011, "Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption",
// with the dense output of its section 5.
const Tableau& Tsit5::tableau() {
  static const Tableau tableau{
      .order = 5,
      .embedded_order = 4,
      .c = {0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
      .a = {{},
            {0.161},
            {-0.008480655492356989, 0.335480655492357},
            {2.8971530571054935, -6.359448489975075, 4.3622954328695815},
            {5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
            {5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401,
             -0.028269050394068383},
            {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
             2.324710524099774}},
      .b = {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081,
            2.324710524099774, 0},
      .error = {0.00178001105222577714, 0.0008164344596567469, -0.007880878010261995, 0.1447110071732629,
                -0.5823571654525552, 0.45808210592918697, -0.015151515151515152},
      .interpolant = {first(-1.0530884977290216, 1.3299890189751412, -1.4364028541716351, 0.7139816917074209),
                      from_square(0.1017, -2.1966568338249754, 1.2949852507374631),
                      from_square(2.490627285651252793, -2.38535645472061657, 1.57803468208092486),
                      from_roots(-16.54810288924490272, 1.21712927295533244, 0.61620406037800089),
                      from_roots(47.37952196281928122, 1.203071208372362603, 0.658047292653547382),
                      from_roots(-34.87065786149660974, 1.2, 0.666666666666666667), from_roots(2.5, 1, 0.6)}};
  return tableau;
}

}  // namespace stillpoint::ode
