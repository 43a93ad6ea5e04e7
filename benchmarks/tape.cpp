#include "benchmarks.h"
#include "cell.h"
#include "ratio.h"
#include "stillpoint/stillpoint.h"

namespace sp = stillpoint;

void tape(Table& table) {
  table.heading("Vector-Jacobian product: replayed / by the autograd engine (width x batch)");
  auto all = cells({{100, 100}, {512, 100}, {100, 1}, {512, 1}, {16, 1}, {2, 100}});
  for (auto& f : all) {
    f.weight.requires_grad_();
    const auto v = torch::randn({f.batch, f.width});
    const sp::Tape recorded(f, f.start());
    const auto z = f.start().requires_grad_();
    const auto fz = f(z);
    const double ratio = time_ratio([&] { recorded.vjp(v); },
                                    [&] { torch::autograd::grad({fz}, {z}, {v}, /*retain_graph=*/true); });
    table.row(f.size(), ratio, 1.0);
  }
}
