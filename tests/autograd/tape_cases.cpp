#include "autograd/tape_cases.h"

namespace stillpoint::test {
namespace {

using Captured = std::vector<Tensor>;

struct Cube : torch::autograd::Function<Cube> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x) {
    context->save_for_backward({x});
    return x.pow(3);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0] * 3 * context->get_saved_variables()[0].square()};
  }
};

// Adds the product of the others to its first argument.
struct AddProduct : torch::autograd::Function<AddProduct> {
  static Tensor forward(torch::autograd::AutogradContext* context, Tensor sum, const Tensor& x,
                        const Tensor& y) {
    context->save_for_backward({x, y});
    context->mark_dirty({sum});
    return sum.addcmul_(x, y);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {gradients[0], gradients[0] * saved[1], (gradients[0] * saved[0]).sum(0)};
  }
};

Tensor doubled_by_hook(Tensor t) {
  t.register_hook([](const Tensor& g) { return g * 2; });
  return t;
}

Tensor in_place(const Tensor& z, const Captured& c) {
  Tensor y = z * 2;
  y.add_(c[1]);
  y.tanh_();
  return y * c[2];
}

Tensor in_place_on_a_view(const Tensor& z, const Captured& c) {
  Tensor y = z.clone();
  y.narrow(1, 0, 2).mul_(c[1].narrow(0, 1, 2));
  y.select(0, 1).tanh_();
  return y * z;
}

// Views of views, edited together and apart, and read again after the edits.
Tensor in_place_on_chained_views(const Tensor& z, const Captured& c) {
  const Tensor y = z * c[2];
  const Tensor block = y.t().narrow(0, 1, 2);
  block.select(1, 0).add_(c[0][0].narrow(0, 0, 2) * z[2].narrow(0, 0, 2));
  block.mul_(c[1].narrow(0, 2, 2).unsqueeze(1));
  block.select(0, 1).tanh_();
  return y * c[1] + block.sum() * z;
}

// What is edited does not come from z, which enters by the edits alone.
Tensor slices_assigned(const Tensor& z, const Captured& c) {
  Tensor y = c[2].clone();
  y.index_put_({0}, z[1] * c[1]);
  y.narrow(1, 1, 2).mul_(z.narrow(1, 0, 2).cos());
  y.narrow(1, 2, 2).addmm_(z, c[0].narrow(1, 0, 2));
  return y;
}

Tensor function_in_place_on_a_view(const Tensor& z, const Captured& c) {
  Tensor y = z * c[2], view = y.narrow(1, 1, 2);
  AddProduct::apply(view, z.narrow(1, 0, 2), c[1].narrow(0, 2, 2));
  return y.sin();
}

Tensor splits(const Tensor& z, const Captured& c) {
  const auto parts = torch::tanh(z.matmul(c[0])).split(1, 1);
  return torch::cat({parts[2] * parts[0], parts[1], parts[3].sin(), parts[0] * c[1][2]}, 1);
}

Tensor one_output_of_many(const Tensor& z, const Captured& c) {
  const auto rows = (z * c[2]).unbind(0);
  return torch::stack({rows[1], rows[1].cos(), c[1]});
}

Tensor statistics(const Tensor& z, const Captured& c) {
  const auto [variance, mean] = torch::var_mean(z, /*dim=*/{1}, /*unbiased=*/false, /*keepdim=*/true);
  return (z - mean) / (variance + 0.1).sqrt() * c[1];
}

std::vector<TapeCase> shapes_and_dtypes() {
  return {
      {"broadcasting", [](const Tensor& z,
                          const Captured& c) { return torch::tanh(z.matmul(c[0]) + c[1]) * c[1][0] + c[2]; }},
      {"broadcasting z",
       [](const Tensor& z, const Captured& c) { return z.narrow(0, 0, 1) * c[2] + z[1][2]; }},
      {"views",
       [](const Tensor& z, const Captured& c) {
         return (z.t().reshape({2, 6}).transpose(0, 1).reshape({3, 4}) * c[2].view({4, 3}).t()).sin();
       }},
      {"split and cat", splits},
      {"one output of many", one_output_of_many},
      {"variance and mean", statistics},
      {"largest and sorted",
       [](const Tensor& z, const Captured& c) {
         return std::get<0>(z.max(1, true)) * c[1] + std::get<0>(z.sort(1)).square();
       }},
      {"indexing",
       [](const Tensor& z, const Captured& c) {
         return z.index({torch::tensor({2, 0, 2})}) *
                c[0].index_select(0, torch::tensor({3, 3, 1}).to(device()));
       }},
      {"dtype casts",
       [](const Tensor& z, const Captured& c) {
         return (z.to(at::kFloat) * c[1].to(at::kFloat)).sin().to(at::kDouble) * c[2] + z;
       }},
      {"a Fourier transform",
       [](const Tensor& z, const Captured& c) {
         return torch::fft::irfft(torch::fft::rfft(z * c[1]) * torch::fft::rfft(c[2]), 4);
       }},
      {"another shape", [](const Tensor& z, const Captured& c) { return z.matmul(c[0]).sin().sum(1); }}};
}

std::vector<TapeCase> graphs() {
  return {
      {"in place on its own", in_place},
      {"in place on a view", in_place_on_a_view},
      {"in place on chained views", in_place_on_chained_views},
      {"slices assigned", slices_assigned},
      {"a function in place on a view", function_in_place_on_a_view},
      {"captured used twice",
       [](const Tensor& z, const Captured& c) {
         return torch::tanh(z.matmul(c[0]) + c[2]).matmul(c[0]) * c[2];
       }},
      {"z used many times",
       [](const Tensor& z, const Captured& c) { return z * z.sin() / (2 + z.cos()) * c[2] - z; }},
      {"a hook inside",
       [](const Tensor& z, const Captured& c) { return doubled_by_hook(z * c[2]).sin() + z; }},
      {"a hook on a view of z",
       [](const Tensor& z, const Captured& c) { return doubled_by_hook(z.view_as(z)) * c[2]; }},
      {"a hook on the value", [](const Tensor& z, const Captured& c) { return doubled_by_hook(z * c[2]); }},
      {"a function in C++", [](const Tensor& z, const Captured& c) { return Cube::apply(z * c[1]) + z; }},
      {"a detached part",
       [](const Tensor& z, const Captured& c) { return z * z.detach() + c[2] * c[2].detach(); }},
      {"branches that meet",
       [](const Tensor& z, const Captured& c) {
         Tensor y = z * c[1];
         for (int i = 0; i < 10; ++i) y = y.sin() + y.cos() * 0.5;
         return y;
       }},
      {"z ignored", [](const Tensor&, const Captured& c) { return torch::tanh(c[2].matmul(c[0])) + c[1]; }},
      {"z times nothing", [](const Tensor& z, const Captured& c) { return z * 0 + c[2] * 0; }},
      {"nothing captured", [](const Tensor& z, const Captured&) { return z.sin(); }},
      {"z itself", [](const Tensor& z, const Captured&) { return z; }},
      {"a view of z",
       [](const Tensor& z, const Captured&) {
         return z.view({3, 4});
       }},
      {"a captured tensor", [](const Tensor&, const Captured& c) { return c[2]; }},
      {"a constant", [](const Tensor& z, const Captured&) { return torch::ones_like(z); }}};
}

}  // namespace

std::vector<TapeCase> tape_cases() {
  auto cases = shapes_and_dtypes();
  for (auto& c : graphs()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace stillpoint::test
