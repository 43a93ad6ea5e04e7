// OptNet: a module whose output is the solution of a quadratic program with learned constraints. It sees
// points and where an unknown polygon sends them, and learns the sides of the polygon. (Amos, Kolter 2017.)

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>

using torch::Tensor;

/// min ½ x'Qx − input'x subject to Gx ≤ h. Q = LL' + a little is definite, and h = G inner + slack with a
/// slack that is positive, so that there always is a solution.
struct OptNetImpl : torch::nn::Module {
  OptNetImpl(std::int64_t unknowns, std::int64_t rows)
      : L(register_parameter("L", torch::eye(unknowns, torch::kDouble))),
        G(register_parameter("G", torch::randn({rows, unknowns}, torch::kDouble))),
        inner(register_parameter("inner", torch::zeros({unknowns}, torch::kDouble))),
        log_slack(register_parameter("log_slack", torch::full({rows}, -1.0, torch::kDouble))) {}

  Tensor h() const { return G.mv(inner) + log_slack.exp(); }
  Tensor forward(const Tensor& input) const {
    const auto Q = L.mm(L.t()) + 1e-4 * torch::eye(L.size(0), torch::kDouble);
    return stillpoint::quadratic_program({.Q = Q, .p = -input, .G = G, .h = h()}).x;
  }

  Tensor L, G, inner, log_slack;
};
TORCH_MODULE(OptNet);

int main() {
  torch::manual_seed(6);
  const auto sides = torch::tensor({{1.0, 0.0}, {-0.6, 0.8}, {-0.6, -0.8}}, torch::kDouble);
  const auto distances = torch::tensor({0.5, 0.4, 0.3}, torch::kDouble);
  const auto points = 1.5 * torch::randn({200, 2}, torch::kDouble);
  const auto targets = stillpoint::optim::project_polyhedron(points, {.G = sides, .h = distances}).x;

  OptNet net(2, 3);
  torch::optim::Adam optimizer(net->parameters(), 0.03);
  double loss_value = 0.0;
  for (int step = 0; step <= 300; ++step) {
    optimizer.zero_grad();
    const auto loss = torch::mse_loss(net->forward(points), targets);
    loss.backward();
    optimizer.step();
    loss_value = loss.item<double>();
    if (step % 60 == 0) std::printf("step %3d   loss %.2e\n", step, loss_value);
  }

  // Sides do not change when a row of G and h is scaled.
  const auto size = net->G.detach().norm(2, 1);
  const auto learned =
      torch::cat({net->G.detach() / size.unsqueeze(1), (net->h().detach() / size).unsqueeze(1)}, 1);
  for (std::int64_t i = 0; i < 3; ++i) {
    std::printf("side %6.3f x + %6.3f y <= %.3f\n", learned[i][0].item<double>(),
                learned[i][1].item<double>(), learned[i][2].item<double>());
  }
  return loss_value < 1e-4 ? 0 : 1;
}
