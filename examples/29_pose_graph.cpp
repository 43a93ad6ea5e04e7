// A pose graph: where a robot was, from what its wheels and its scanner say of the way between two places.
// How far each kind of measurement is to be trusted is learned, through the optimum, from a drive whose true
// poses are known. Three of the loop closures are wrong, and a robust loss counts them as outliers.

#include <stillpoint/stillpoint.h>
#include <torch/torch.h>

#include <cstdio>
#include <numbers>
#include <vector>

using torch::Tensor;

namespace {

constexpr std::int64_t kPoses = 24;

/// The difference of angles, within half a turn.
Tensor wrapped(const Tensor& angle) { return torch::atan2(torch::sin(angle), torch::cos(angle)); }

/// The pose `to` as one at `from` sees it; (x, y, heading) in the last dimension.
Tensor seen_from(const Tensor& from, const Tensor& to) {
  const auto way = (to - from).unbind(-1);
  const auto c = torch::cos(from.select(-1, 2));
  const auto s = torch::sin(from.select(-1, 2));
  return torch::stack({c * way[0] + s * way[1], c * way[1] - s * way[0], way[2]}, -1);
}

struct Graph {
  Tensor from, to;  // which poses an edge joins
  Tensor measured;  // of the one as seen from the other, [edges, 3]
  Tensor kind;      // 0: by the wheels; 1: by the scanner

  Tensor errors(const Tensor& poses) const {
    const auto seen = seen_from(poses.index_select(1, from), poses.index_select(1, to));
    const auto error = seen - measured;
    return torch::cat({error.slice(2, 0, 2), wrapped(error.slice(2, 2, 3))}, 2);
  }
};

/// Twice around a circle.
Tensor true_poses() {
  const auto angle = torch::arange(kPoses, torch::kDouble) * (4 * std::numbers::pi / kPoses);
  return torch::stack({5 * torch::sin(angle), 5 - 5 * torch::cos(angle), wrapped(angle)}, 1).unsqueeze(0);
}

Graph drive() {
  std::vector<std::int64_t> from, to, kind;
  const auto add = [&](std::int64_t a, std::int64_t b, std::int64_t what) {
    from.push_back(a);
    to.push_back(b);
    kind.push_back(what);
  };
  for (std::int64_t i = 0; i + 1 < kPoses; ++i) add(i, i + 1, 0);
  for (std::int64_t i = 0; i + kPoses / 2 < kPoses; ++i) add(i, i + kPoses / 2, 1);
  Graph graph{torch::tensor(from), torch::tensor(to), {}, torch::tensor(kind)};
  const auto poses = true_poses();
  const auto right = seen_from(poses.index_select(1, graph.from), poses.index_select(1, graph.to))[0];
  const auto deviation =
      torch::tensor({{0.2, 0.2, 0.05}, {0.02, 0.02, 0.01}}, torch::kDouble).index_select(0, graph.kind);
  graph.measured = right + deviation * torch::randn({right.size(0), 3}, torch::kDouble);
  for (const std::int64_t wrong : {kPoses + 1, kPoses + 5, kPoses + 9}) graph.measured[wrong] += 2.0;
  return graph;
}

/// Each pose from the one before, by the wheels alone.
Tensor dead_reckoning(const Graph& graph) {
  std::vector<Tensor> poses{true_poses()[0][0]};
  for (std::int64_t i = 0; i + 1 < kPoses; ++i) {
    const auto& last = poses.back();
    const auto step = graph.measured[i];
    const auto c = torch::cos(last[2]);
    const auto s = torch::sin(last[2]);
    poses.push_back(last + torch::stack({c * step[0] - s * step[1], s * step[0] + c * step[1], step[2]}));
  }
  return torch::stack(poses).unsqueeze(0);
}

}  // namespace

int main() {
  torch::manual_seed(5);
  const auto graph = drive();
  const auto truth = true_poses();
  const auto start = dead_reckoning(graph);
  const auto first = truth.slice(1, 0, 1);
  // The logarithm of the weight of each kind of edge, for positions and for headings.
  auto log_weight = torch::zeros({2, 2}, torch::dtype(torch::kDouble).requires_grad(true));

  const auto optimum = [&](const Tensor& log) {
    const auto weight = log.index_select(1, torch::tensor({0, 0, 1})).exp().index_select(0, graph.kind);
    // The first pose is known, or the whole graph could be moved.
    return stillpoint::least_squares(
        [&, weight](const Tensor& rest) {
          return weight * graph.errors(torch::cat({first, rest}, 1));
        },
        start.slice(1, 1), {.loss = stillpoint::optim::Cauchy{}, .block = 3});
  };
  const auto distance = [&](const Tensor& poses) {
    return (poses - truth.slice(1, 1)).slice(2, 0, 2).square().sum(2).mean();
  };

  torch::optim::Adam adam({log_weight}, torch::optim::AdamOptions(0.1));
  double begun = 0;
  double ended = 0;
  std::printf("dead reckoning: off by %.3f\n", distance(start.slice(1, 1)).sqrt().item<double>());
  for (int step = 0; step <= 40; ++step) {
    const auto [poses, stats] = optimum(log_weight);
    if (!stats.converged()) return 1;
    const auto loss = distance(poses);
    ended = loss.sqrt().item<double>();
    if (step == 0) begun = ended;
    if (step % 10 == 0) std::printf("step %2d: off by %.3f\n", step, ended);
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  const auto learned = log_weight.exp();
  std::printf("weight of the wheels %.2f, of the scanner %.2f\n", learned[0][0].item<double>(),
              learned[1][0].item<double>());
  return ended < 0.7 * begun ? 0 : 1;
}
