// A ball that bounces three times: when, and how the third time moves with the height it is dropped from and
// with what each bounce takes. An event changes the state and goes on; the third one ends the solve.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

int main() {
  const auto number = [](double value) {
    return torch::tensor({value}, torch::dtype(torch::kDouble).requires_grad(true));
  };
  const auto height = number(10);
  const auto loss = number(0.2);
  const auto f = [](const torch::Tensor& y) {
    return torch::stack({y.select(1, 1), torch::full_like(y.select(1, 1), -9.81)}, 1);
  };
  const stillpoint::ode::Event ground{
      .when = [](const torch::Tensor& y) { return y.select(1, 0); },
      .crossing = stillpoint::ode::Crossing::Falling,
      .terminal = 3,
      .then =
          [&](const torch::Tensor& y) {
            return torch::stack({y.select(1, 0), -(1 - loss) * y.select(1, 1)}, 1);
          }};

  const auto start = torch::stack({height, torch::zeros({1}, torch::kDouble)}, 1);
  const auto solution = stillpoint::odeint(f, start, {0, 100}, {.events = {ground}});
  const auto times = solution.events.time[0];
  for (int i = 0; i < 3; ++i) std::printf("bounce %d at t = %.6f\n", i + 1, times[i].item<double>());

  times[2].backward();
  std::printf("d t3 / d height = %.6f\n", height.grad().item<double>());
  std::printf("d t3 / d loss   = %.6f\n", loss.grad().item<double>());
  std::printf("%s\n", solution.stats.brief().c_str());
}
